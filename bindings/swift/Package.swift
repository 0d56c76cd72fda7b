// swift-tools-version: 6.0

// What an app ships is built on the native library for phones. With WARDLINE_TESTING=1 in the environment the
// package is built on the one for tests instead, and has one product more: `WardlineTesting`. An app that is built
// without the variable cannot link a line of it.
//
// `native/` is a build output: `cargo xtask swift` fills it on Linux, and APPLE.md says how on a Mac.

import PackageDescription

let testing = Context.environment["WARDLINE_TESTING"] == "1"
let native = testing ? "native/bench" : "native/phone"

#if os(Linux)
let library: Target = .systemLibrary(name: "CWardline", path: "\(native)/CWardline")
let place = "\(Context.packageDirectory)/\(native)/lib"
let linking: [LinkerSetting] = [.unsafeFlags(["-L\(place)", "-Xlinker", "-rpath=\(place)"])]
#else
let library: Target = .binaryTarget(name: "CWardline", path: "\(native)/CWardline.xcframework")
let linking: [LinkerSetting] = []
#endif

var products: [Product] = [
    .library(name: "Wardline", targets: ["Wardline"])
]
var targets: [Target] = [
    library,
    // Generated. Asynchronous protocols in it are beyond what the compilers of Swift 6 mode take.
    .target(
        name: "WardlineFFI",
        dependencies: ["CWardline"],
        path: "\(native)/WardlineFFI",
        swiftSettings: [.swiftLanguageMode(.v5)],
        linkerSettings: linking
    ),
    .target(name: "Wardline", dependencies: ["WardlineFFI"]),
]

if testing {
    products.append(.library(name: "WardlineTesting", targets: ["WardlineTesting"]))
    targets += [
        .target(name: "WardlineTesting", dependencies: ["Wardline", "WardlineFFI"]),
        // Processes for tests to kill.
        .executableTarget(name: "wardline-test-child", dependencies: ["Wardline", "WardlineTesting"]),
        // What this package adds to a call: `cargo xtask bench-bindings swift`.
        .executableTarget(
            name: "wardline-overhead",
            dependencies: ["Wardline", "WardlineTesting", "WardlineFFI"],
            path: "Benches"
        ),
        .testTarget(
            name: "WardlineTests",
            dependencies: ["Wardline", "WardlineTesting", "wardline-test-child"]
        ),
    ]
}

let package = Package(
    name: "Wardline",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: products,
    targets: targets,
    swiftLanguageModes: [.v6]
)
