//! `Debug` for the messages that must never be printed: it names the type and shows nothing.

use std::fmt;

use crate::v1;

macro_rules! opaque {
    ($($name:ident),+ $(,)?) => {$(
        impl fmt::Debug for v1::$name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

opaque!(
    AdvanceRequest,
    CancelRequest,
    Content,
    ContentKey,
    EnrollRequest,
    PatientContext,
    RegisterPushRequest,
    Sealed,
    SignedContent,
    TextBody,
    AmendBody,
    SbarBody,
    CriticalResultBody,
    OrderBody
);
