//! After lock, this process's memory is searched for what must not be there any more.
#![cfg(target_os = "linux")]

use std::{
    io::{Read, Seek, SeekFrom},
    process::Command,
};

use super::*;

/// In a process of its own: the test harness and other tests would fill memory with copies.
#[test]
fn after_lock_no_key_and_no_text_is_left_in_memory() {
    if std::env::var_os(CHILD).is_none() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&child.stdout);
        let passed = child.status.success() && out.contains("1 passed");
        assert!(passed, "{out}{}", String::from_utf8_lossy(&child.stderr));
        return;
    }
    let home = Home::created();
    let mut wanted = Vec::new();
    {
        let place = BodyPlace::new("message.body", b"row");
        let text = Zeroizing::new(spell(b"qbujfou!jo!cfe!28!ibt!b!qpubttjvn!pg!7/9"));
        let inbox = home.vault().open().unwrap();
        let locked = BodySealer::locked_batch(&inbox.reading)
            .unwrap()
            .seal(place, &text)
            .unwrap();
        drop(inbox);
        let typed = Zeroizing::new(spell(b"npuifs!upme!nf!xifo!zpvoh"));
        let typed = Passphrase::new(String::from_utf8_lossy(&typed).into_owned()).unwrap();
        home.vault()
            .change_passphrase(&passphrase(), &typed, weak())
            .unwrap();
        let unlocked = home.vault().unlock(&typed).unwrap();
        let keys = &unlocked.keys;
        let opened = keys.open_body(place, &locked).unwrap();
        let resealed = BodyOpener::new(keys)
            .reseal(place, &locked)
            .unwrap()
            .into_owned();
        keys.open_body(place, &resealed).unwrap();
        drop(keys.search().pragma_value());

        wanted.push(Wanted::new("text", &opened));
        wanted.push(Wanted::new("passphrase", typed.as_bytes()));
        wanted.push(Wanted::new("body key", keys.body.expose()));
        wanted.push(Wanted::new("private key", &hpke_bytes(keys)));
        let pragma = keys.search().pragma_value();
        let raw = Zeroizing::new(hex::decode(&pragma[2..66]).unwrap());
        wanted.push(Wanted::new("search key", &raw));
        wanted.push(Wanted::new("search key's pragma", pragma.as_bytes()));
        // The search works: everything is there while unlocked.
        let found = search(&wanted);
        assert!(found.iter().all(|(_, times)| *times > 0), "{found:?}");
    }
    let found = search(&wanted);
    assert!(
        found.iter().all(|(_, times)| *times == 0),
        "left in memory: {found:?}"
    );
}

/// What to look for, kept in a form that the search does not find.
struct Wanted {
    name: &'static str,
    masked: Vec<u8>,
}

impl Wanted {
    fn new(name: &'static str, secret: &[u8]) -> Self {
        Self {
            name,
            masked: secret.iter().map(|byte| byte ^ MASK).collect(),
        }
    }

    fn times(&self, memory: &[u8]) -> usize {
        let first = self.masked[0] ^ MASK;
        let mut times = 0;
        for (at, byte) in memory.iter().enumerate() {
            if *byte == first {
                let rest = memory[at..].iter().zip(&self.masked);
                let same = rest
                    .take_while(|(one, other)| **one == **other ^ MASK)
                    .count();
                times += usize::from(same == self.masked.len());
            }
        }
        times
    }
}

/// How often each is found in the memory that this process can write to. What is read is masked at
/// once, so that it is not found in the buffer.
fn search(wanted: &[Wanted]) -> Vec<(&'static str, usize)> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = fs::File::open("/proc/self/mem").unwrap();
    let mut found: Vec<_> = wanted.iter().map(|wanted| (wanted.name, 0)).collect();
    // One buffer for all, made before looking, that is not looked at itself.
    let mut buffer = vec![0_u8; 1 << 20];
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let mut at = u64::from_str_radix(start, 16).unwrap();
        let end = u64::from_str_radix(end, 16).unwrap();
        let own = buffer.as_ptr() as u64;
        while at < end {
            if (own..own + buffer.len() as u64).contains(&at) {
                at = own + buffer.len() as u64;
                continue;
            }
            let stop = if at < own { end.min(own) } else { end };
            let length = usize::try_from((stop - at).min(buffer.len() as u64)).unwrap();
            memory.seek(SeekFrom::Start(at)).unwrap();
            if memory.read_exact(&mut buffer[..length]).is_err() {
                break; // not readable: a guard page, or the kernel's own
            }
            for (wanted, (_, times)) in wanted.iter().zip(&mut found) {
                *times += wanted.times(&buffer[..length]);
            }
            at += length as u64;
        }
    }
    found
}

fn hpke_bytes(keys: &ReadingKeys) -> Zeroizing<Vec<u8>> {
    use hpke::Serializable;
    Zeroizing::new(keys.private.to_bytes().to_vec())
}

/// Texts are spelled one letter on in this file, so that the program's own constants hold none.
fn spell(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| byte - 1).collect()
}

fn weak() -> Argon2Params {
    Argon2Params::weak_for_tests()
}

const MASK: u8 = 0x5a;
const CHILD: &str = "WARDLINE_TEST_MEMORY";
const NAME: &str = "vault::tests::memory::after_lock_no_key_and_no_text_is_left_in_memory";
