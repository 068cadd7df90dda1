// swift-tools-version: 6.2
//
// Benchmarks are a package of their own: what they need never enters the product's graph.

import PackageDescription

let package = Package(
    name: "Benchmarks",
    dependencies: [.package(name: "vblktop", path: "../..")],
    targets: [
        .executableTarget(
            name: "vblktop-bench",
            dependencies: [.product(name: "VblktopEngine", package: "vblktop")],
            swiftSettings: [.swiftLanguageMode(.v6)])
    ]
)
