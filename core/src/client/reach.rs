//! Whether people can be reached: what this person says of themselves, and what others are known to have said.
//!
//! Not its concern: what a message does with it, which is the engine's.

use wardline_org::{EntryKey, RoleId, UserId, availability::Availability};
use wardline_proto::v1;

use super::{Client, line};
use crate::{
    conversation::role::RoleStatus,
    directory::{Lookup, Reachability},
    engine::{points::Commit, reaching},
    error::Error,
};

impl Client {
    /// Says whether this person can be reached: do-not-disturb, away, and who stands in for them. It takes the place
    /// of everything any of their devices said before; [`Availability::default`] takes all of it back.
    ///
    /// It holds on this device at once, also without a network, and everywhere else as soon as the relay has it.
    /// While do-not-disturb lasts, messages below stat arrive without interrupting: their event says
    /// [`Tier::Routine`](crate::Tier), and an [`Inbox`](crate::Inbox) answers their notices afterwards. Stat always
    /// interrupts. Colleagues can ask for it ([`Client::reachability`]), and so can the relay, which wakes phones
    /// silently meanwhile. It lasts 31 days at most.
    ///
    /// # Errors
    /// [`ReachError`](crate::ReachError) when a time has passed or is too far away, or when who would stand in is this
    /// person, not there, or away; those of the store.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn example(client: wardline::Client, now: wardline_org::Timestamp) -> Result<(), wardline::Error> {
    /// use wardline::Availability;
    ///
    /// client
    ///     .set_availability(Availability {
    ///         do_not_disturb_until: Some(now + Duration::from_secs(8 * 3600)),
    ///         ..Availability::default()
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub async fn set_availability(&self, availability: Availability) -> Result<(), Error> {
        let delegate = availability.away.as_ref();
        if let Some(delegate) = delegate.and_then(|away| away.delegate.clone()) {
            // Whether they can stand in; without a network by what is known.
            self.reachability(&[delegate]).await?;
        }
        self.step(Commit::Availability, move |step| {
            reaching::say(step, availability)
        })
        .await
    }

    /// What this person says of themselves, on whichever device they said it, as far as it still holds.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn availability(&self) -> Result<Availability, Error> {
        self.look(|view| {
            let (us, now) = (view.context.identity.user_id.clone(), view.now());
            let said = view.memory.directory.availability(view.connection, &us)?;
            let said = said.map(|said| said.statement().availability.clone());
            Ok(said.unwrap_or_default().at(now))
        })
        .await
    }

    /// Whether these people can be reached, in the order of the question: who has a device, when one last called,
    /// do-not-disturb, away, and who stands in. Ask before sending something that cannot wait.
    ///
    /// The relay and the directory are asked; when they cannot be, the answer is what was known, and
    /// [`Reachability::as_of`] says since when. What nobody knows is missing from it.
    ///
    /// # Errors
    /// Those of the store; `WL-RELAY-REVOKED` when the organization has revoked this device.
    ///
    /// ```
    /// # async fn example(client: wardline::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for person in client.reachability(&["DR-CA-001".parse()?]).await? {
    ///     match (person.has_device, person.last_seen) {
    ///         (Some(false), _) => println!("no device: call the ward"),
    ///         (_, Some(at)) => println!("last seen {at}"),
    ///         (_, None) => println!("not known"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn reachability(&self, people: &[UserId]) -> Result<Vec<Reachability>, Error> {
        let people = people.to_vec();
        match self.ask_reachability(&people).await {
            Err(error) if !line::is_at_fault(&error) => return Err(error),
            Err(error) => tracing::debug!(code = %error.code(), "nobody could be asked"),
            Ok(()) => {}
        }
        self.look(move |view| {
            let now = view.now();
            let directory = &mut view.memory.directory;
            let known = people
                .iter()
                .map(|user| directory.reachability(view.connection, user, now));
            Ok(known.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Who holds a role now ([`Client::role`]), and whether each of them can be reached, in the order of
    /// [`RoleStatus::holders`](crate::RoleStatus::holders). Nobody holding it is an answer: both are empty then.
    ///
    /// # Errors
    /// Those of [`Client::role`] and of [`Client::reachability`].
    ///
    /// ```
    /// # async fn example(client: wardline::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let role: wardline_org::RoleId = "cardiology-on-call".parse()?;
    /// let (status, reachable) = client.role_reachability(role).await?;
    /// for (holder, known) in status.holders.iter().zip(&reachable) {
    ///     println!("{}: last seen {:?}", holder.display_name, known.last_seen);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn role_reachability(
        &self,
        role: RoleId,
    ) -> Result<(RoleStatus, Vec<Reachability>), Error> {
        let status = self.role(role).await?;
        let holders = status.holders.iter().map(|holder| holder.user.clone());
        let known = self.reachability(&holders.collect::<Vec<_>>()).await?;
        Ok((status, known))
    }

    /// Asks for the entries that are missing, then the relay.
    async fn ask_reachability(&self, people: &[UserId]) -> Result<(), Error> {
        // The head first: what is proven under an older one is to be proven again.
        self.fetch_directory().await?;
        let wanted = people.to_vec();
        self.look(move |view| {
            for user in wanted {
                let key = EntryKey::Person(user);
                let known = view.memory.directory.entry(view.connection, &key)?;
                if matches!(known, Lookup::Unproven(_)) {
                    view.memory.wanted_entries.insert(key);
                }
            }
            Ok(())
        })
        .await?;
        self.fetch_directory().await?;
        for people in people.chunks(reaching::PEOPLE_AT_ONCE) {
            let asked = v1::ReachabilityRequest {
                user_ids: people.iter().map(ToString::to_string).collect(),
            };
            let answer = self.call(&asked).await;
            if let Err(Error::Call(error)) = &answer {
                self.note_revocation(error).await?;
            }
            let answer = answer?;
            self.step(Commit::Reach, move |step| {
                reaching::answered(step, &asked, &answer)
            })
            .await?;
        }
        Ok(())
    }
}
