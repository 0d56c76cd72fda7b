//! A process that a crash test plays with: `wardline-puppet <folder> relay` or
//! `wardline-puppet <folder> device <name>`. What it does comes over its standard input.

use wardline_tests::crash::{Site, device, relay};

fn main() {
    let mut words = std::env::args().skip(1);
    let site = Site::at(words.next().unwrap());
    let part = words.next().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    match part.as_str() {
        "relay" => runtime.block_on(relay::run(&site)),
        "device" => runtime.block_on(device::run(site, words.next().unwrap())),
        part => panic!("no such part: {part}"),
    }
    // The test is gone: so is everything that still runs here.
    runtime.shutdown_background();
}
