//! What the author of a message is told of it: the furthest that each device has signed for.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::params;
use wardline_org::{Hash, Signer as _, signer::sign_tagged};
use wardline_proto::{Message as _, v1};

use super::{Device, NOW, Who, content, device, hash_of, message, user};
use crate::{
    engine::{control::RECEIPTS_PURPOSE, inbox::Inside},
    message::{DeliveryState, RecallOutcome, lifecycle::Happening},
    session::identity::DeviceIdentity,
};

/// A receipt about our own message.
#[derive(Debug, Clone, Copy)]
struct Receipt {
    who: Who,
    kind: v1::ReceiptKind,
    forgery: Forgery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forgery {
    None,
    /// Sealed and signed by an enrolled colleague, in the name of the device.
    ByAnother,
    /// Signed by a colleague's key although the device sealed it.
    Unsigned,
    /// Of another ciphertext under the same id.
    OfAnother,
    /// By the device, after it was revoked.
    Revoked,
}

impl Receipt {
    fn counts(&self) -> bool {
        self.forgery == Forgery::None && matches!(self.who, Who::Recipient(_))
    }

    fn take(self, device_of_author: &mut Device, keys: &BTreeMap<u8, DeviceIdentity>) {
        let key = |who: Who| &keys[&device(who).as_bytes()[0]];
        let sealed_by = match self.forgery {
            Forgery::ByAnother => Who::Outsider,
            _ => self.who,
        };
        let signed_by = match self.forgery {
            Forgery::ByAnother | Forgery::Unsigned => Who::Outsider,
            _ => self.who,
        };
        let hash = match self.forgery {
            Forgery::OfAnother => Hash::of(b"another"),
            _ => hash_of(&content(None)),
        };
        let batch = v1::ReceiptBatch {
            version: 1,
            organization: "mercy".into(),
            device_id: device(self.who).to_vec(),
            receipts: vec![v1::Receipt {
                message_id: message().id.as_bytes().to_vec(),
                content_hash: hash.as_bytes().to_vec(),
                kind: self.kind.into(),
                at_ms: NOW.as_millis(),
            }],
        }
        .encode_to_vec();
        let signature = sign_tagged(key(signed_by), RECEIPTS_PURPOSE, &batch).to_vec();
        let control = v1::Control {
            body: Some(v1::control::Body::Receipts(v1::SignedReceipts {
                batch,
                signature,
            })),
            ..Default::default()
        };
        let revoked = self.forgery == Forgery::Revoked;
        let public = key(sealed_by).public_key();
        device_of_author.deliver(sealed_by, revoked, public, Inside::Control(control));
    }
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let kind = prop::sample::select(vec![
        v1::ReceiptKind::Delivered,
        v1::ReceiptKind::Read,
        v1::ReceiptKind::Kept,
        v1::ReceiptKind::PurgedUnread,
        v1::ReceiptKind::PurgedRead,
        v1::ReceiptKind::Unspecified,
    ]);
    let forgery = prop_oneof![
        6 => Just(Forgery::None),
        1 => Just(Forgery::ByAnother),
        1 => Just(Forgery::Unsigned),
        1 => Just(Forgery::OfAnother),
        1 => Just(Forgery::Revoked),
    ];
    let who = prop_oneof![
        5 => (0..3_u8).prop_map(Who::Recipient),
        1 => Just(Who::Outsider),
    ];
    (who, kind, forgery).prop_map(|(who, kind, forgery)| Receipt { who, kind, forgery })
}

/// The author's device, which has posted the message to three devices.
fn author() -> Device {
    let mut device = Device::new(Who::Author);
    let own = content(None);
    device.open(Who::Author, false, own);
    for number in 0..3 {
        device
            .connection
            .execute(
                "INSERT INTO recipient (message, device_id, user_id, state) VALUES (1, ?1, ?2, ?3)",
                params![
                    self::device(Who::Recipient(number)).as_bytes(),
                    user(Who::Recipient(number)).as_str(),
                    DeliveryState::Sent as i64
                ],
            )
            .unwrap();
    }
    device
}

type Standing = (i64, Option<i64>);

fn standing(author: &Device) -> Vec<Standing> {
    let sql = "SELECT state, recall FROM recipient ORDER BY device_id";
    let mut statement = author.connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Late, repeated, contradictory and forged: what the author is shown of each device is the furthest that this very
    /// device has signed for, whatever came when.
    #[test]
    fn what_the_author_is_told_is_what_each_device_has_signed(
        receipts in prop::collection::vec(receipt(), 0..12),
        orders in any::<[[u8; 32]; 2]>(),
    ) {
        let people = [Who::Recipient(0), Who::Recipient(1), Who::Recipient(2), Who::Outsider];
        let keys: BTreeMap<u8, DeviceIdentity> = people
            .into_iter()
            .map(|who| {
                let identity = DeviceIdentity::generate("mercy".parse().unwrap(), user(who));
                (device(who).as_bytes()[0], identity)
            })
            .collect();
        let expected: Vec<Standing> = (0..3)
            .map(|number| {
                let own = receipts
                    .iter()
                    .filter(|one| one.counts() && one.who == Who::Recipient(number));
                let state = own.clone().fold(DeliveryState::Sent, |state, one| match one.kind {
                    v1::ReceiptKind::Delivered => state.after(Happening::Delivered),
                    v1::ReceiptKind::Read => state.after(Happening::Read),
                    _ => state,
                });
                let gone = own.filter_map(|one| RecallOutcome::of(one.kind)).max();
                (state as i64, gone.map(|outcome| outcome as i64))
            })
            .collect();
        for turns in orders {
            let mut author = author();
            let mut order: Vec<(Hash, Receipt)> = (0_u64..)
                .zip(&receipts)
                .map(|(place, one)| {
                    (Hash::of(&[turns.as_slice(), &place.to_be_bytes()].concat()), *one)
                })
                .collect();
            order.sort_by_key(|(key, _)| *key.as_bytes());
            for (_, receipt) in order {
                receipt.take(&mut author, &keys);
            }
            prop_assert_eq!(standing(&author), expected.clone());
        }
    }
}
