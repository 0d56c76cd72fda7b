//! Who is given a tier at this moment: the people it names, and whoever holds its roles by the directory.

use std::collections::HashSet;

use wardline_org::{DeviceId, Timestamp, UserId};

use crate::{
    directory::Directory,
    storage::{HeldTier, Release},
};

/// Decides who is given a tier at `now`.
///
/// Devices that are revoked or unknown by now are left out. A role that nobody holds who was sealed for goes to its
/// custodian, who can seal anew; its holders and the custodian are told that it is due.
pub(crate) fn plan(directory: &Directory, tier: &HeldTier, now: Timestamp) -> Release {
    let sealed = Sealed::new(directory, tier);
    let mut people: Vec<&UserId> = tier.users.iter().collect();
    let (mut tell, mut due_roles) = (Vec::new(), Vec::new());
    for role in &tier.roles {
        let line = directory.role(role);
        let holders: Vec<&UserId> = line
            .into_iter()
            .flat_map(|line| line.holders(now))
            .collect();
        people.extend(&holders);
        if holders.iter().any(|holder| sealed.people.contains(holder)) {
            continue;
        }
        let custodian = line.and_then(|line| line.custodian.as_ref());
        people.extend(custodian);
        let told: HashSet<&UserId> = holders.into_iter().chain(custodian).collect();
        for person in told {
            let devices = directory.devices_of(person);
            tell.extend(devices.map(|device| (device, role.clone())));
        }
        due_roles.push(role.clone());
    }
    let people: HashSet<_> = people.into_iter().collect();
    let give = sealed.devices.into_iter();
    Release {
        held: tier.held,
        tier: tier.tier,
        give: give
            .filter(|(_, person)| people.contains(person))
            .map(|(device, _)| device)
            .collect(),
        tell,
        due_roles,
    }
}

/// For whom a tier is sealed that may be given something.
struct Sealed<'a> {
    devices: Vec<(DeviceId, &'a UserId)>,
    people: HashSet<&'a UserId>,
}

impl<'a> Sealed<'a> {
    fn new(directory: &'a Directory, tier: &HeldTier) -> Self {
        let listed = tier.devices.iter().filter_map(|device| {
            let listed = directory.device(device)?;
            listed.active.then_some((*device, &listed.user))
        });
        let devices: Vec<_> = listed.collect();
        Self {
            people: devices.iter().map(|(_, person)| *person).collect(),
            devices,
        }
    }
}
