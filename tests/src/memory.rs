//! How much memory this process takes: what a system counts that ends processes for it.
//!
//! Linux keeps the peak of what is resident (`VmHWM`), which counts pages of files too: code above all, of
//! which a test's own build has far more than an app. A phone counts what cannot be thrown away and read
//! again, which is the anonymous part. There is no peak of that alone, and samples would miss it. So the pages
//! of files that are resident when counting begins are taken off the peak: what is touched of files
//! meanwhile stays in, and the answer is too high rather than too low.

use std::fs;

/// A count that was begun.
#[derive(Debug)]
pub struct Memory {
    /// KiB of files' pages at the start. Nothing in this process takes them out of memory.
    files: u64,
}

impl Memory {
    /// Begins to count. Whatever is to be counted should have run once before, so that its code is there.
    ///
    /// # Panics
    /// Elsewhere than on Linux.
    pub fn count() -> Self {
        // https://docs.kernel.org/filesystems/proc.html: forgets the peak.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        Self {
            files: status("RssFile"),
        }
    }

    /// The most anonymous memory since then, in KiB; a little more rather than less.
    pub fn peak(&self) -> u64 {
        status("VmHWM").saturating_sub(self.files)
    }
}

/// A line of this process's status, in KiB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}
