//! Finding messages, thinking of what may be wrong with one before it leaves, and how long answers took.

use std::sync::Arc;

use super::{Client, blocking};
use crate::{
    conversation::Recipient,
    error::Error,
    message::{
        Caution, Cursor, Draft, Filter, LoopGrouping, LoopTimes, Message, Span, answer, caution,
        loop_times, timeline,
    },
    store::search::Wanted,
};

impl Client {
    /// Messages that a filter describes, newest first. The page after is found with the [`Message::cursor`] of the
    /// last one; it costs the same wherever it is.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    ///
    /// ```
    /// # async fn show(client: wardline::Client, mrn: wardline::PatientIdentifier) -> Result<(), wardline::Error> {
    /// use wardline::Filter;
    ///
    /// let filter = Filter::all().patient(vec![mrn]).open();
    /// let mut page = client.find(filter.clone(), None, 50).await?;
    /// while let Some(last) = page.last() {
    ///     page = client.find(filter.clone(), Some(last.cursor), 50).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn find(
        &self,
        filter: Filter,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let unlocked = self.inner.reading()?;
        // What was written here since the last batch is looked for too.
        self.take_up_arrivals().await?;
        let before = before.map(|cursor| cursor.0);
        let among = match filter.open {
            true => Some(self.inner.store.read(answer::every_open).await?),
            false => None,
        };
        let index = Arc::clone(&unlocked.search);
        let found = blocking(move || {
            let pair = |id: &crate::PatientIdentifier| (id.system.clone(), id.value.clone());
            let patient: Vec<_> = filter.patient.iter().map(pair).collect();
            let wanted = Wanted {
                patient: &patient,
                sender: filter.person.as_ref().map(|person| person.as_str()),
                priority: filter.priority.map(|priority| priority as i32),
                among: among.as_deref(),
                conversation: filter
                    .conversation
                    .as_ref()
                    .map(|id| id.as_bytes().as_slice()),
                since: filter.since.map(|time| time.as_millis()),
                until: filter.until.map(|time| time.as_millis()),
            };
            Ok(index.select(&wanted, filter.text.as_deref(), before, limit)?)
        })
        .await?;
        let keys = unlocked.keys;
        let latest = self.latest();
        self.inner
            .store
            .read(move |connection| timeline::found(connection, &keys, &found, latest))
            .await
    }

    /// What a person should think of before this draft leaves; nothing is sent, and nothing refused. No caution is no
    /// proof that all is well: it knows what this device knows.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    ///
    /// ```
    /// # fn ask(_: &wardline::Patient) -> bool { true }
    /// # async fn send(client: wardline::Client, draft: wardline::Draft) -> Result<(), wardline::Error> {
    /// use wardline::Caution;
    ///
    /// for caution in client.check(&draft).await? {
    ///     if let Caution::SimilarPatient { known, .. } = caution
    ///         && !ask(&known)
    ///     {
    ///         return Ok(());
    ///     }
    /// }
    /// client.send(draft).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check(&self, draft: &Draft) -> Result<Vec<Caution>, Error> {
        let unlocked = self.inner.reading()?;
        self.take_up_arrivals().await?;
        let conversation = self.conversation(&draft.recipient);
        let open = self
            .inner
            .store
            .read(move |connection| answer::awaited_in(connection, conversation))
            .await?;
        let mut cautions = self.check_recipient(draft).await?;
        let draft = draft.clone();
        let others = blocking(move || {
            let name = draft.patient.as_ref().map_or("", |patient| &patient.name);
            let (known, words) = match draft.patient {
                Some(_) => unlocked.search.patients(name)?,
                None => Default::default(),
            };
            Ok(caution::cautions(&draft, open, known, &words))
        });
        cautions.extend(others.await?);
        Ok(cautions)
    }

    /// By what is known of the person; ask [`Client::reachability`] first to know it as it is now.
    async fn check_recipient(&self, draft: &Draft) -> Result<Vec<Caution>, Error> {
        let Recipient::Person(person) = draft.recipient.clone() else {
            return Ok(Vec::new());
        };
        let draft = draft.clone();
        self.look(move |view| {
            let now = view.now();
            let directory = &mut view.memory.directory;
            let known = directory.reachability(view.connection, &person, now)?;
            let delegate = match &known.delegate {
                Some(delegate) => Some(directory.reachability(view.connection, delegate, now)?),
                None => None,
            };
            Ok(caution::of_recipient(&draft, &known, delegate.as_ref()))
        })
        .await
    }

    /// How long messages written on this device took to be delivered, read and acknowledged, and how many were not:
    /// over those written within a span, for each group that has any. Works while locked.
    ///
    /// # Errors
    /// Those of reading the store.
    ///
    /// ```
    /// # async fn show(client: wardline::Client) -> Result<(), wardline::Error> {
    /// use wardline::{LoopGrouping, Span};
    ///
    /// for times in client.loop_times(Span::default(), LoopGrouping::Priority).await? {
    ///     println!("{:?}: {:?}", times.group, times.sent_to_acknowledged.p95);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn loop_times(
        &self,
        span: Span,
        grouping: LoopGrouping,
    ) -> Result<Vec<LoopTimes>, Error> {
        let us = self.user().clone();
        let now = self.inner.clock.now();
        self.inner
            .store
            .read(move |connection| loop_times::times(connection, span, grouping, &us, now))
            .await
    }
}
