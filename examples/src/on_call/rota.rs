//! Who is on call: one line for every department that has results, and who takes it over in the middle.
//!
//! A real rota comes from the hospital's scheduling system. This one gives four people of a department a part each.

use std::collections::BTreeSet;

use anyhow::Result;
use wardline_org::{
    RoleId, Timestamp, UserId,
    team::{Assignment, RoleLine},
};

use super::site::Site;

/// The lines of one department and whoever holds them.
#[derive(Debug, Clone)]
pub(super) struct Rota {
    /// The department, by name.
    pub(super) department: String,
    /// Who is told of a critical result.
    pub(super) on_call: RoleId,
    /// Who is told next, when nobody accepts it.
    pub(super) stand_in: RoleId,
    /// Has the line until the shift ends.
    pub(super) first: UserId,
    /// Has it from then on.
    pub(super) second: UserId,
    /// Holds the second line all the time.
    pub(super) stands_in: UserId,
    /// Keeps both lines: seals for whoever the sender did not know of.
    pub(super) charge: UserId,
}

impl Rota {
    /// Gives the lines of a department to its staff; `None` when it has too few people for that.
    pub(super) fn of(site: &Site, department: &str, number: usize) -> Result<Option<Self>> {
        let mut staff = site.staff(department).into_iter();
        let (Some(first), Some(second), Some(stands_in), Some(charge)) =
            (staff.next(), staff.next(), staff.next(), staff.next())
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            department: department.to_owned(),
            on_call: RoleId::new(format!("on-call-{number}"))?,
            stand_in: RoleId::new(format!("stand-in-{number}"))?,
            first,
            second,
            stands_in,
            charge,
        }))
    }

    /// The lines as the directory lists them from `from` on. Once the shift has changed, the second person has the
    /// first line since `changed`.
    pub(super) fn lines(&self, from: Timestamp, changed: Option<Timestamp>) -> [RoleLine; 2] {
        let end = from + DAY;
        let turn = |user: &UserId, from, until| Assignment {
            user: user.clone(),
            from,
            until,
        };
        let line = |role: &RoleId, name: &str, assignments| RoleLine {
            role: role.clone(),
            display_name: format!("{} {name}", self.department),
            assignments,
            custodian: Some(self.charge.clone()),
        };
        let mut on_call = vec![turn(&self.first, from, changed.unwrap_or(end))];
        on_call.extend(changed.map(|changed| turn(&self.second, changed, end)));
        let stand_in = vec![turn(&self.stands_in, from, end)];
        [
            line(&self.on_call, "on call", on_call),
            line(&self.stand_in, "stand-in", stand_in),
        ]
    }

    /// Everybody on it, each once.
    pub(super) fn people(&self) -> BTreeSet<UserId> {
        [&self.first, &self.second, &self.stands_in, &self.charge]
            .into_iter()
            .cloned()
            .collect()
    }

    /// Who has the line in a half of the run.
    pub(super) fn holder(&self, shift: Shift) -> &UserId {
        match shift {
            Shift::First => &self.first,
            Shift::Second => &self.second,
        }
    }
}

/// The halves of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shift {
    First,
    Second,
}

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
