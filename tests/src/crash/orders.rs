//! What a test tells a process, and what the process says: one line of JSON each.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// What a test tells a process. Orders are carried out one after the other; each ends with
/// [`Report::Done`] or [`Report::Failed`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// From now on, whoever reaches this failpoint says so and goes no further.
    StopAt(String),
    /// From now on, whoever reaches this failpoint panics.
    PanicAt(String),
    /// Relay: delete what is too old, as it does by itself every minute.
    Sweep,
    /// Make a new device of this person, or go on with the one that was begun here.
    Enroll {
        /// Whose device it is.
        person: String,
        /// A ticket of the organization for that person.
        ticket: String,
    },
    /// Open the device in the folder, locked.
    Open,
    /// Unlock it.
    Unlock,
    /// Try a passphrase that is not the right one.
    UnlockWrongly,
    /// Put the same passphrase in its own place.
    ChangePassphrase,
    /// Encrypt the store anew.
    Rekey,
    /// Run the loop, and the app that is told of what arrives.
    Start,
    /// One round.
    Sync,
    /// One round with a relay that shows a directory nobody signed.
    SyncDeceived,
    /// Send texts, all at once. A text is its own idempotency key.
    Send {
        /// To whom.
        to: To,
        /// What.
        texts: Vec<String>,
    },
    /// Hand the relay a push token.
    RegisterPush,
    /// Say that this person is not to be disturbed, and ask whether another one can be reached.
    Reach {
        /// The other one.
        person: String,
    },
    /// Ask somebody something that had to be answered a moment ago.
    Ask {
        /// Whom.
        to: To,
        /// What. It is its own idempotency key.
        text: String,
    },
    /// Tell somebody something that is over a moment later.
    Brief {
        /// Whom.
        to: To,
        /// What. It is its own idempotency key.
        text: String,
    },
    /// Accept everything that waits for an answer.
    Accept,
    /// Correct everything that was said to somebody and begins like this.
    Correct {
        /// Whom it was said to.
        to: To,
        /// How it begins.
        beginning: String,
    },
    /// Export the proof of everything that was said to somebody and begins like this.
    Export {
        /// Whom it was said to.
        to: To,
        /// How it begins.
        beginning: String,
    },
    /// Take back everything that was said to somebody and begins like this.
    TakeBack {
        /// Whom it was said to.
        to: To,
        /// How it begins.
        beginning: String,
    },
    /// Keep a draft to somebody.
    Draft(To),
    /// Do once what an app does with its events: tell of them, mark what arrived as read, confirm.
    Events,
    /// Do what a process does that shows notifications, beside whatever is open: collect, show each, note that.
    Notify,
    /// Count from here how much memory it takes.
    CountMemory,
    /// Say how much it took at the most since then.
    Memory,
    /// Look at everything these conversations show.
    Look(Vec<To>),
}

/// To whom something goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    /// A person.
    Person(String),
    /// The care team of everybody.
    Team,
}

/// What a process says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The order is carried out.
    Done,
    /// It is not, with the code of the cause.
    Failed(String),
    /// A failpoint was reached, and time stands still there.
    Reached(String),
    /// A text was taken, under this id.
    Sent {
        /// The text.
        text: String,
        /// The message.
        message: String,
    },
    /// The app was told of a message.
    Arrived {
        /// The event's place in the stream.
        cursor: u64,
        /// The message.
        message: String,
    },
    /// It took so much anonymous memory at the most, in KiB.
    Memory(u64),
    /// A notification of a message was shown.
    Noticed {
        /// The message.
        message: String,
    },
    /// The app was told of something that went wrong: an envelope that was refused, with its code, or the
    /// name of another event.
    Warned {
        /// The event's place in the stream.
        cursor: u64,
        /// The code or name.
        what: String,
    },
    /// What there is to see.
    Seen(Seen),
}

/// What a device shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The texts of each conversation asked for, oldest first, each with its message's id.
    pub texts: Vec<Vec<(String, String)>>,
    /// Devices that have not said yet that a message from here is on their disk.
    pub undelivered: usize,
    /// The first audit record that does not follow from the one before it.
    pub broken_audit: Option<i64>,
}

/// Says something to the test. When the test is gone, nobody needs to hear it.
pub fn say(report: &Report) {
    let mut line = serde_json::to_string(report).unwrap();
    line.push('\n');
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(line.as_bytes());
    let _ = out.flush();
}

/// The orders as they come. The stream ends when the test does.
pub fn orders() -> mpsc::UnboundedReceiver<Order> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let order = serde_json::from_str(&line).unwrap();
            if sender.send(order).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Arms a failpoint: whoever reaches it says so and stays there, until the process is killed.
pub fn stop_at(point: &str) {
    let reached = Report::Reached(point.to_owned());
    fail::cfg_callback(point, move || {
        say(&reached);
        loop {
            std::thread::park();
        }
    })
    .unwrap();
}

/// Arms a failpoint: whoever reaches it panics.
pub fn panic_at(point: &str) {
    fail::cfg(point, "panic").unwrap();
}
