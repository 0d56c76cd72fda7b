//! A person's own devices, and vouching for one.

use wardline::Client;
use wardline_org::{Clock, DeviceId, SystemClock, authority::AuthorityError};
use wardline_tests::{Phone, Ward, settle};

/// Whether a device shows one of its person's devices as vouched; nothing when it lists none of that id.
async fn shown(phone: &Phone, device: DeviceId) -> Option<bool> {
    let own = phone.client.own_devices().await.unwrap();
    let found = own.iter().find(|own| own.device == device);
    found.map(|own| own.vouched)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_device_is_shown_as_unvouched_until_the_first_vouches() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let phone = ward.phone("NS-1").await;
    let tablet = ward.phone("NS-1").await;
    let (first, second) = (phone.client.device(), tablet.client.device());
    // The list is asked for by whoever looks at it, also when a head came meanwhile that the phone has not
    // heard of.
    shown(&phone, second).await;
    settle(&[&phone], 2).await;
    assert_eq!(shown(&phone, first).await, Some(true));
    assert_eq!(shown(&phone, second).await, Some(false));

    let statement = phone.client.vouch(second).await.unwrap();
    assert!(ward.authority().admit_vouch(&statement).unwrap());
    ward.publish().await;
    settle(&[&phone, &tablet], 1).await;
    shown(&phone, second).await;
    shown(&tablet, second).await;
    settle(&[&phone, &tablet], 2).await;
    assert_eq!(shown(&phone, second).await, Some(true));
    assert_eq!(shown(&tablet, second).await, Some(true));
    assert_eq!(phone.client.check_audit().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_vouches_with_a_locked_device_for_themselves_or_for_others() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let phone = ward.phone("NS-1").await;
    let tablet = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    shown(&phone, tablet.client.device()).await;
    settle(&[&phone, &tablet, &doctor], 2).await;
    for other in [
        phone.client.device(),
        doctor.client.device(),
        DeviceId::from_bytes([7; 16]),
    ] {
        assert_eq!(refused(&phone.client, other).await, "WL-NO-SUCH-DEVICE");
    }
    phone.client.lock();
    assert_eq!(
        refused(&phone.client, tablet.client.device()).await,
        "WL-LOCKED"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_an_unvouched_or_revoked_device_counts_for_nothing() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let phone = ward.phone("NS-1").await;
    let (tablet, stolen) = (ward.phone("NS-1").await, ward.phone("NS-1").await);
    shown(&stolen, tablet.client.device()).await;
    shown(&phone, tablet.client.device()).await;
    settle(&[&phone, &tablet, &stolen], 2).await;
    let by_unvouched = stolen.client.vouch(tablet.client.device()).await.unwrap();
    let refused = ward.authority().admit_vouch(&by_unvouched);
    assert_eq!(refused, Err(AuthorityError::Unvouched));

    let by_revoked = phone.client.vouch(tablet.client.device()).await.unwrap();
    let (person, first) = (phone.user.clone(), phone.client.device());
    let now = SystemClock.now();
    ward.authority().revoke_device(&person, first, now).unwrap();
    let refused = ward.authority().admit_vouch(&by_revoked);
    assert_eq!(refused, Err(AuthorityError::UnknownDevice));
}

async fn refused(client: &Client, device: DeviceId) -> String {
    client.vouch(device).await.unwrap_err().code()
}
