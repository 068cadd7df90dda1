// swift-tools-version: 6.2
//
// Benchmarks are a package of their own: what they need never enters the product's graph.

import PackageDescription

let package = Package(
    name: "Benchmarks",
    dependencies: [.package(name: "vblktop", path: "../..")],
    targets: [
        // The device end of a queue in C: the yardstick.
        .target(name: "CTwin"),
        // Counting heap allocations, programs on a pseudo-terminal.
        .target(name: "CBench", linkerSettings: [.linkedLibrary("util")]),
        .executableTarget(
            name: "vblktop-bench",
            dependencies: [
                "CTwin", "CBench", .product(name: "VblktopEngine", package: "vblktop"),
                .product(name: "GuestHarness", package: "vblktop"),
                .product(name: "VblktopRecording", package: "vblktop"),
                .product(name: "VblktopDoctor", package: "vblktop"),
                .product(name: "VblktopKernelProbes", package: "vblktop"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
