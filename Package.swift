// swift-tools-version: 6.2
//
// The rooms of vblktop. What each may import is stated here and nowhere else: the compiler checks
// it (`--explicit-target-dependency-import-check error`), and docs/ARCHITECTURE.md says why.

import PackageDescription

/// Warnings are errors where vblktop is developed (`make test` sets this), never where it is built
/// by a user with a newer compiler.
let isStrict = Context.environment["VBLKTOP_STRICT"] == "1"

let swift: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .strictMemorySafety(),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (isStrict ? [.treatAllWarnings(as: .error)] : [])

let package = Package(
    name: "vblktop",
    products: [
        .executable(name: "vblktop", targets: ["vblktop"]),
        // What the benchmarks (a nested package) drive directly.
        .library(name: "VblktopEngine", targets: ["Telemetry", "Kernel", "Virtio", "DataPlane"]),
        .library(
            name: "VblktopRecording", targets: ["Telemetry", "Recording", "Demo", "Analysis"]),
        .library(name: "VblktopKernelProbes", targets: ["KernelProbes"]),
        .library(name: "VblktopDoctor", targets: ["Telemetry", "Doctor"]),
        // The virtual machines that tests and benchmarks watch.
        .library(name: "GuestHarness", targets: ["GuestHarness"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        // C, fenced.
        .target(name: "CKernel"),
        .target(
            name: "CTerminal",
            linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),

        .target(
            name: "CLibraries",
            linkerSettings: [
                .linkedLibrary("zstd"), .linkedLibrary("z"), .linkedLibrary("sqlite3"),
                .linkedLibrary("expat"), .linkedLibrary("bpf"),
            ]),

        // Pure rooms: no clock, no descriptor, no thread.
        .target(name: "Telemetry", swiftSettings: swift),
        .target(name: "Grid", swiftSettings: swift),
        .target(name: "ProcFS", dependencies: ["Telemetry"], swiftSettings: swift),
        .target(name: "QMP", dependencies: ["Telemetry"], swiftSettings: swift),
        .target(name: "Virtio", dependencies: ["Telemetry", "CKernel"], swiftSettings: swift),
        .target(
            name: "Screens",
            dependencies: [
                "Grid", "Telemetry",
                .product(name: "TOMLKit", package: "TOMLKit"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: swift),

        .target(
            name: "Doctor",
            dependencies: ["Telemetry", .product(name: "TOMLKit", package: "TOMLKit")],
            swiftSettings: swift),
        .target(name: "Analysis", dependencies: ["Telemetry"], swiftSettings: swift),
        .target(name: "Exchange", dependencies: ["Telemetry"], swiftSettings: swift),
        .target(name: "Bench", dependencies: ["Telemetry"], swiftSettings: swift),
        .target(name: "Qcow2", swiftSettings: swift),

        // Rooms with effects.
        .target(name: "Libraries", dependencies: ["CLibraries"], swiftSettings: swift),
        .target(
            name: "Recording",
            dependencies: [
                "Telemetry", "Kernel", "Libraries",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift),
        .target(
            name: "Query", dependencies: ["Telemetry", "Libraries"], swiftSettings: swift),
        .target(
            name: "Kernel",
            dependencies: [
                "Telemetry", "CKernel", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift,
            linkerSettings: [.linkedLibrary("aio"), .linkedLibrary("uring")]),
        .target(
            name: "Host",
            dependencies: [
                "Telemetry", "ProcFS", "Kernel",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift),
        .target(
            name: "DataPlane", dependencies: ["Telemetry", "Virtio", "Kernel", "Qcow2"],
            swiftSettings: swift),
        .target(
            name: "Demo",
            dependencies: ["Telemetry", "Bench", "DataPlane", "Host", "Rings", "Virtio", "Kernel"],
            swiftSettings: swift),
        .target(
            name: "Probes",
            dependencies: [
                "Telemetry", "ProcFS", "Kernel", .product(name: "TOMLKit", package: "TOMLKit"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift),
        .target(
            name: "KernelProbes", dependencies: ["Telemetry", "Kernel", "Libraries"],
            swiftSettings: swift),
        .target(
            name: "Rings", dependencies: ["Telemetry", "Virtio", "Kernel"], swiftSettings: swift),
        .target(
            name: "Attach",
            dependencies: [
                "Telemetry", "QMP", "ProcFS", "Virtio", "Kernel", "Host", "Probes", "Libraries",
                "KernelProbes", "Rings",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift),
        .target(
            name: "Terminal", dependencies: ["Grid", "Kernel", "CTerminal"], swiftSettings: swift),

        // The composition root.
        .executableTarget(
            name: "vblktop",
            dependencies: [
                "Telemetry", "Grid", "Screens", "Kernel", "Host", "DataPlane", "Demo", "Probes",
                "Attach", "Rings", "Terminal", "Libraries", "Recording", "Exchange", "Analysis",
                "Query", "Doctor", "Bench",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift),

        .testTarget(
            name: "TelemetryTests",
            dependencies: [
                "Telemetry", .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: swift),
        .testTarget(name: "GridTests", dependencies: ["Grid"], swiftSettings: swift),
        .testTarget(name: "ProcFSTests", dependencies: ["ProcFS"], swiftSettings: swift),
        .testTarget(
            name: "VirtioTests", dependencies: ["Virtio", "Telemetry"], swiftSettings: swift),
        .testTarget(
            name: "KernelTests",
            dependencies: [
                "Kernel", "CKernel", "Telemetry",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift),
        .testTarget(
            name: "RingsTests", dependencies: ["Rings", "Virtio", "Kernel", "Telemetry"],
            swiftSettings: swift),
        .testTarget(
            name: "HostTests",
            dependencies: [
                "Host", "Kernel", "Telemetry",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift),
        .testTarget(
            name: "DataPlaneTests",
            dependencies: [
                "DataPlane", "Qcow2", "Virtio", "Kernel", "Telemetry", "GuestHarness",
            ],
            swiftSettings: swift),
        .testTarget(name: "Qcow2Tests", dependencies: ["Qcow2"], swiftSettings: swift),
        .testTarget(
            name: "DemoTests",
            dependencies: ["Demo", "DataPlane", "Telemetry", "Kernel", "Bench", "Doctor"],
            swiftSettings: swift),
        .testTarget(
            name: "BenchTests", dependencies: ["Bench", "Telemetry"], exclude: ["Goldens"],
            swiftSettings: swift),
        .testTarget(
            name: "ScreensTests", dependencies: ["Screens", "Grid", "Telemetry"],
            exclude: ["Goldens"], swiftSettings: swift),
        .testTarget(
            name: "TerminalTests", dependencies: ["Terminal", "Grid"], swiftSettings: swift),
        .testTarget(
            name: "QMPTests", dependencies: ["QMP", "Telemetry"],
            exclude: ["MemoryMaps", "Transcripts"], swiftSettings: swift),
        .testTarget(
            name: "ProbesTests",
            dependencies: [
                "Probes", "ProcFS", "Kernel", "Telemetry",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: swift),
        .testTarget(
            name: "KernelProbesTests",
            dependencies: [
                "KernelProbes", "Probes", "Kernel", "Libraries", "Telemetry",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "AttachTests",
            dependencies: [
                "Attach", "QMP", "ProcFS", "Host", "Kernel", "KernelProbes", "Telemetry",
                "GuestHarness", "Rings", "Virtio",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["Configurations"], swiftSettings: swift),
        .testTarget(
            name: "DoctorTests", dependencies: ["Doctor", "Telemetry"], swiftSettings: swift),
        .testTarget(name: "LibrariesTests", dependencies: ["Libraries"], swiftSettings: swift),
        .testTarget(
            name: "RecordingTests",
            dependencies: [
                "Recording", "Libraries", "Kernel", "Telemetry", "Screens", "Grid", "Demo",
                "DataPlane", "Doctor", .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["Corpus"], swiftSettings: swift),
        .testTarget(
            name: "ExchangeTests",
            dependencies: ["Exchange", "Telemetry", "Libraries", "GuestHarness"],
            swiftSettings: swift),
        .testTarget(
            name: "AnalysisTests", dependencies: ["Analysis", "Telemetry"], exclude: ["Goldens"],
            swiftSettings: swift),
        .testTarget(
            name: "QueryTests", dependencies: ["Query", "Telemetry", "Libraries"],
            swiftSettings: swift),
        .target(name: "GuestHarness", path: "Tests/GuestHarness", swiftSettings: swift),
        .testTarget(
            name: "GuestTests",
            dependencies: [
                "GuestHarness", "Attach", "Rings", "Virtio", "Kernel", "KernelProbes", "Telemetry",
            ],
            exclude: ["Guest"], swiftSettings: swift),
        .testTarget(name: "TidyTests", swiftSettings: swift),
        .testTarget(
            name: "EndToEndTests", dependencies: ["GuestHarness"], swiftSettings: swift),
    ]
)
