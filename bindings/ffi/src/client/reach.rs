//! Saying whether this person can be reached, and asking it of others.

use super::Client;
use crate::{
    error::WardlineError,
    ids::parse,
    reach::{Availability, Reachability},
};

#[uniffi::export]
impl Client {
    /// Says whether this person can be reached, in the place of everything any of their devices said before; an empty
    /// one takes all of it back. It holds here at once, and everywhere else as soon as the relay has it; 31 days at
    /// most.
    pub async fn set_availability(&self, availability: Availability) -> Result<(), WardlineError> {
        let availability = wardline::Availability::try_from(availability)?;
        self.with(|core| async move { core.set_availability(availability).await })
            .await
    }

    /// What this person says of themselves, on whichever device, as far as it still holds.
    pub async fn availability(&self) -> Result<Availability, WardlineError> {
        let said = self
            .with(|core| async move { core.availability().await })
            .await?;
        Ok(said.into())
    }

    /// Whether these people can be reached, in the order of the question. Without a network it is what was known;
    /// `as_of_ms` says since when.
    pub async fn reachability(
        &self,
        people: Vec<String>,
    ) -> Result<Vec<Reachability>, WardlineError> {
        let people = people.iter().map(|user| parse("people", user));
        let people = people.collect::<Result<Vec<_>, _>>()?;
        let known = self
            .with(|core| async move { core.reachability(&people).await })
            .await?;
        Ok(known.into_iter().map(Reachability::from).collect())
    }
}
