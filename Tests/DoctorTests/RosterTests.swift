import Telemetry
import Testing

@testable import Doctor

/// When a roster need not be made anew.
@Suite("Rosters")
struct RosterTests {
    /// Samples of which each has another roster than the ward, or might have.
    private static let changes: [@Sendable (inout Snapshot) -> Void] = [
        { $0.luns[0].id = "other" }, { $0.luns[0].vm = "other" }, { $0.luns = [] },
        { $0.addLUN() }, { $0.host.disks[0].name = "sdz" }, { $0.host.disks[0].luns = [] },
        { $0.host.disks = [] }, { $0.vms = [] }, { $0.vms[0].accelerator = .embedded },
        { $0.vms.append($0.vms[0]) }, { $0.threads = [] },
        { $0.threads.insert(ThreadActivity(tid: 1, role: .vcpu, name: "v"), at: 0) },
        { for index in $0.threads.indices { $0.threads[index].name = "IO other" } },
        { for index in $0.threads.indices { $0.threads[index].role = .iothread } },
        { for index in $0.threads.indices { $0.threads[index].vm = "other" } },
        { $0.know(.vm, [.ioThreads: .texts(["io9"])]) },
    ]

    @Test func whoIsThereIsNotLookedForTwice() {
        var sample = Snapshot.ward
        let roster = Roster(sample)
        #expect(roster.holds(for: sample))
        sample.luns[0].rates.iops = 7
        sample.threads[0].cpuPercent = 3
        sample.host.disks[0].iops = 9
        sample.sequence += 1
        #expect(roster.holds(for: sample))
        #expect(!Roster().holds(for: sample))
    }

    @Test(arguments: changes.indices) func whoeverComesOrGoesIsNoticed(_ index: Int) {
        var sample = Snapshot.ward
        let roster = Roster(sample)
        Self.changes[index](&sample)
        #expect(!roster.holds(for: sample))
    }
}
