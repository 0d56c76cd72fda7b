//! Finding messages, thinking of what may be wrong with one before it leaves, and how long answers took.

use wardline::{Cursor, Span};
use wardline_org::Timestamp;

use super::Client;
use crate::{
    draft::{Draft, Recipient},
    error::WardlineError,
    finding::{Caution, Filter, LoopGrouping, LoopTimes, PersonDevice},
    message::{self, Message},
};

#[uniffi::export]
impl Client {
    /// Messages that a filter describes, newest first. The page after is found with the cursor of the last one.
    pub async fn find(
        &self,
        filter: Filter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Message>, WardlineError> {
        let filter = wardline::Filter::try_from(filter)?;
        let before = before.map(Cursor::from_number);
        self.with(|core| async move { Ok(message::all(core.find(filter, before, limit).await?)) })
            .await
    }

    /// What a person should think of before this draft leaves; nothing is sent, and nothing refused. No caution
    /// is no proof that all is well: it knows what this device knows.
    pub async fn check(&self, draft: Draft) -> Result<Vec<Caution>, WardlineError> {
        let draft = wardline::Draft::try_from(draft)?;
        self.with(|core| async move {
            let cautions = core.check(&draft).await?;
            Ok(cautions.into_iter().map(Caution::from).collect())
        })
        .await
    }

    /// The recipients' devices whose software does not know a type of content, such as `wardline.order/1`: they
    /// show the text alone. Vendors' types are known to apps, not to Wardline: every device is without them.
    /// Nothing when the directory has to be asked first: the next round does so.
    pub async fn devices_without(
        &self,
        recipient: Recipient,
        type_uri: String,
    ) -> Result<Option<Vec<PersonDevice>>, WardlineError> {
        let recipient = wardline::Recipient::try_from(recipient)?;
        self.with(|core| async move {
            let devices = core.devices_without(recipient, &type_uri).await?;
            let device =
                |(user, device): (wardline_org::UserId, wardline_org::DeviceId)| PersonDevice {
                    user: user.to_string(),
                    device: device.to_string(),
                };
            Ok(devices.map(|devices| devices.into_iter().map(device).collect()))
        })
        .await
    }

    /// How long messages written on this device took to be delivered, read and acknowledged, and how many were
    /// not: over those written from `since_ms` on and before `until_ms`, for each group that has any. Works while
    /// locked.
    pub async fn loop_times(
        &self,
        grouping: LoopGrouping,
        since_ms: Option<i64>,
        until_ms: Option<i64>,
    ) -> Result<Vec<LoopTimes>, WardlineError> {
        let span = Span {
            since: since_ms.map(Timestamp::from_millis),
            until: until_ms.map(Timestamp::from_millis),
        };
        self.with(|core| async move {
            let times = core.loop_times(span, grouping.into()).await?;
            Ok(times.into_iter().map(LoopTimes::from).collect())
        })
        .await
    }
}
