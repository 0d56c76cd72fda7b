//! The calls a relay knows.

use std::fmt;

use wardline_org::transport::SERVICE_PATH;

macro_rules! methods {
    ($($method:ident),+ $(,)?) => {
        /// One call of the service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Method {
            $($method,)+
        }

        impl Method {
            fn name(self) -> &'static str {
                match self { $(Self::$method => stringify!($method),)+ }
            }

            fn parse(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($method) => Some(Self::$method),)+
                    _ => None,
                }
            }
        }
    };
}

methods! {
    Enroll, Head, Entries, Enrollments, PublishHead,
    OrderWipe, Wipes, ConfirmWipe,
    UploadKeys, ClaimKeys,
    Send, Receive, Acknowledge, Withdraw, Checkpoint,
    Cancel, Advance,
    RegisterPush,
    SetAvailability, Reachability,
}

impl Method {
    /// Whether it carries its own proof and needs no signature.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Enroll | Self::ConfirmWipe)
    }

    /// The call that a path names.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        Self::parse(path.strip_prefix(SERVICE_PATH)?)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
