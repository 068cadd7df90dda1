import Telemetry

@testable import Screens

/// The embedded engine with LUNs on several paths, one of them under the Big QEMU Lock.
struct PathFixture {
    var paths = ["data-plane", "big-lock", "pass-through", "ide"]
    var samples = 4

    static let standard = PathFixture().history

    var history: SnapshotHistory {
        var history = SnapshotHistory()
        for index in 0..<samples { history.append(snapshot(index)) }
        return history
    }

    func snapshot(_ index: Int) -> Snapshot {
        var snapshot = Fixture(lunCount: 8).snapshot(index)
        let isFirst = index == 0
        for number in snapshot.luns.indices {
            let path = paths[number % paths.count]
            place(&snapshot.luns[number], on: path, isFirst: isFirst)
        }
        snapshot.total = BlockRates(summing: snapshot.luns)
        snapshot.threads = threads(of: snapshot.luns, isFirst: isFirst)
        guard snapshot.luns.contains(where: { $0.isOnMainLoop == true }) else { return snapshot }
        snapshot.locks = [
            LockActivity(
                name: "BQL", waits: isFirst ? nil : 13_400, waitPercent: isFirst ? nil : 137.5,
                longest: isFirst ? nil : 6160, waiters: isFirst ? [] : ["vcpu1", "main loop"])
        ]
        snapshot.locks[0].p99 = isFirst ? nil : 999
        return snapshot
    }

    private func place(_ lun: inout LUN, on path: String, isFirst: Bool) {
        lun.path = path
        lun.node = nil
        lun.isOnMainLoop = path == "big-lock" || path == "ide"
        lun.ioThread = path == "data-plane" ? "io " + lun.id : nil
        lun.modelled = path == "ide" ? "exits of 1500 ns" : nil
        let (device, perRequest): (String, Double) =
            switch path {
            case "pass-through": ("pass-through", 0)
            case "ide": ("ide", 14)
            case "big-lock": ("virtio-blk", 2)
            default: ("virtio-blk", 0.13)
            }
        lun.device = device + " (embedded)"
        if device != "virtio-blk" {
            lun.virtqueues = []
            (lun.queues, lun.queueSize) = (nil, nil)
        }
        if !isFirst { lun.rates.exits = lun.rates.iops.map { $0 * perRequest } }
    }

    private func threads(of luns: [LUN], isFirst: Bool) -> [ThreadActivity] {
        func names(_ isServed: (LUN) -> Bool) -> [String] { luns.filter(isServed).map(\.id) }
        var threads = [
            ThreadActivity(tid: 1240, role: .vcpu, name: "vcpu0", luns: names { _ in true }),
            ThreadActivity(
                tid: 1241, role: .main, name: "main loop", luns: names { $0.isOnMainLoop == true }),
        ]
        threads += luns.filter { $0.ioThread != nil }.enumerated().map { index, lun in
            ThreadActivity(
                tid: 1250 + index, role: .iothread, name: lun.ioThread ?? "", luns: [lun.id])
        }
        guard !isFirst else { return threads }
        for index in threads.indices {
            threads[index].cpuPercent = 20
            threads[index].busyPercent = 15
            guard threads[index].role != .iothread else { continue }
            threads[index].lockWaits = 6700
            threads[index].lockWaitPercent = index == 0 ? 48.5 : 89
        }
        return threads
    }
}
