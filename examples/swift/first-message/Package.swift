// swift-tools-version: 6.0

// Needs WARDLINE_TESTING=1 in the environment, for the relay in the process; see bindings/swift/README.md.

import PackageDescription

let package = Package(
    name: "FirstMessage",
    platforms: [.macOS(.v13)],
    dependencies: [.package(path: "../../../bindings/swift")],
    targets: [
        .executableTarget(
            name: "FirstMessage",
            dependencies: [
                .product(name: "Wardline", package: "swift"),
                .product(name: "WardlineTesting", package: "swift"),
            ]
        )
    ]
)
