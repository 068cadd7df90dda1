import Telemetry
import Testing

/// What of a LUN is a setting, and what is load.
@Suite struct LUNTests {
    private static let settings: [String: @Sendable (inout LUN) -> Void] = [
        "vm": { $0.vm = "x" }, "id": { $0.id = "x" }, "node": { $0.node = "x" },
        "device": { $0.device = "x" }, "path": { $0.path = "x" }, "queues": { $0.queues = 9 },
        "queueSize": { $0.queueSize = 9 }, "ioThread": { $0.ioThread = "x" },
        "isOnMainLoop": { $0.isOnMainLoop = true }, "pciAddress": { $0.pciAddress = "x" },
        "file": { $0.file = "x" }, "format": { $0.format = "x" }, "cache": { $0.cache = "x" },
        "aio": { $0.aio = "x" },
        "graph": { $0.graph = [BlockNode(name: "n", driver: "raw")] },
        "throttle": { $0.throttle = "x" }, "features": { $0.features = ["x"] },
        "hostDisk": { $0.hostDisk = "x" }, "modelled": { $0.modelled = "x" },
    ]
    private static let load: [String: @Sendable (inout LUN) -> Void] = [
        "rates": { $0.rates.iops = 1 },
        "virtqueues": {
            $0.virtqueues = [
                Virtqueue(index: 0, size: 1, availIndex: 0, usedIndex: 0, inFlight: 0)
            ]
        },
        "readLatencies": { $0.readLatencies = LatencyHistogram() },
        "writeLatencies": { $0.writeLatencies = LatencyHistogram() }, "span": { $0.span = 5 },
    ]
    private let lun = LUN(id: "vd0", device: "virtio-blk-pci")

    /// Whoever adds a field says here which it is.
    @Test func everyFieldIsOneOrTheOther() {
        let fields = Set(Mirror(reflecting: lun).children.compactMap(\.label))
        #expect(fields == Set(Self.settings.keys).union(Self.load.keys))
    }

    @Test func everySettingCountsAndNoLoad() {
        for (field, change) in Self.settings {
            var other = lun
            change(&other)
            #expect(!lun.isSetUp(like: other), "\(field)")
        }
        for (field, change) in Self.load {
            var other = lun
            change(&other)
            #expect(lun != other && lun.isSetUp(like: other), "\(field)")
        }
    }
}
