import Telemetry
import Testing

@testable import Doctor

/// What the index says is what looking through the whole sample says: two VMs with LUNs of the same
/// names, on multipath devices, a RAID and a disk that they share.
@Suite("The index of a sample")
struct SampleIndexTests {
    @Test func patientsOfAWardShareOneIndex() {
        let ward = Ward(Self.sample)
        let (first, second) = (Patient(ward, Subject(.disk("sda"))), Patient(ward, Subject(.host)))
        #expect(first.indexed === second.indexed)
        // Another sample has another.
        #expect(first.moved(to: Ward(Self.sample)).indexed !== first.indexed)
    }

    @Test(arguments: ["dm-0", "dm-1", "md0", "sda", "sdb", "sdc", "sdz"])
    func aDiskHasTheLUNsOfAllThatIsMadeOfIt(_ disk: String) {
        let sample = Self.sample
        let expected = sample.luns.compactMap { lun -> String? in
            let shares = sample.host.disks.compactMap { above -> Double? in
                guard above.luns.contains(lun.qualifiedID) else { return nil }
                if above.name == disk { return 1 }
                let leaves = Self.leaves[above.name] ?? []
                return leaves.contains(disk) ? 1 / Double(leaves.count) : nil
            }
            return shares.isEmpty ? nil : "\(lun.qualifiedID) \(shares.reduce(0, +))"
        }
        let patient = Patient(Ward(sample), Subject(.disk(disk)))
        #expect(patient.luns(on: disk).map { "\($0.lun.qualifiedID) \($0.share)" } == expected)
        #expect(
            patient.busyLUNs(on: disk).map(\.qualifiedID)
                == patient.luns(on: disk).map(\.lun).filter { patient.isBusy($0) }
                .map(\.qualifiedID))
    }

    @Test func aVMHasItsOwnLUNsAndThreadsAndTheHostHasAll() {
        let ward = Ward(Self.sample)
        let patient = Patient(ward, Subject(vm: "b", .vm))
        #expect(patient.luns.allSatisfy { $0.vm == "b" } && patient.luns.count == 6)
        #expect(patient.threads.map(\.tid) == [20, 21])
        #expect(patient.machine?.name == "b")
        let host = Patient(ward, Subject(.host))
        #expect(host.luns.count == 12 && host.threads.count == 4)
        #expect(Patient(ward, Subject(vm: "gone", .vm)).machine == nil)
    }

    @Test func aThreadServesTheLUNsOfItsOwnVM() throws {
        let ward = Ward(Self.sample)
        let patient = Patient(ward, Subject(vm: "b", .vm))
        let lun = try #require(patient.luns.first)
        #expect(patient.servers(of: lun).map(\.tid) == [21])
        let thread = try #require(patient.threads.last)
        #expect(patient.luns(of: thread).map(\.qualifiedID) == ["b/vd0", "b/vd1", "b/vd2"])
    }

    @Test func whatLUNsShareAddsUp() throws {
        let ward = Ward(Self.sample)
        let patient = Patient(ward, Subject(vm: "a", .vm))
        // Three of the six are in the group, at 100, 300 and 500 IOPS; one of them alone is near.
        let lun = patient.luns[1]
        let limits = ThrottleLimits(try #require(lun.throttle))
        #expect(patient.nearestLimit(of: lun, limits)?.use == 900)
        let alone = patient.luns[0]
        let own = ThrottleLimits("iops-total=1000")
        #expect(patient.nearestLimit(of: alone, own)?.use == 0)
        let index = ward.index
        #expect(index.mainLoopIOPS == ["a": 1500, "b": 1500])
        #expect(index.adapters[SampleIndex.Name(vm: "a", name: "scsi0")]?.iops == 1500)
        let place = FileSystemDemand.Place(source: "/dev/dm-0", size: 1_099_511_627_776)
        #expect(index.fileSystems[place]?.growth == 24)
        let rates = index.mountRates[SampleIndex.Name(vm: "b", name: "/dev/dm-0")]
        #expect(rates?.iops == 1500)
        #expect(index.raidMembers == ["sdb", "sdc"])
    }

    @Test func aGuestIsMisledOnlyWithAllItsLUNsOnFlash() {
        var sample = Self.sample
        #expect(SampleIndex(sample).misledGuests.isEmpty)
        for vm in ["a", "b"] {
            sample.know(Subject(vm: vm, .guestDisk("vda")), .guestRotational, true)
        }
        #expect(SampleIndex(sample).misledGuests == ["a": ["vda"], "b": ["vda"]])
        sample.host.disks[1].isRotational = true
        #expect(SampleIndex(sample).misledGuests == ["a": ["vda"]])
    }

    private static let leaves = [
        "dm-0": ["sda", "sdb"], "dm-1": ["sda", "sdc"], "md0": ["sdb", "sdc"],
    ]

    /// VMs a and b with six LUNs each: those of a on dm-0, those of b on dm-1, the last of each on
    /// the RAID md0 too.
    private static let sample: Snapshot = {
        var sample = Snapshot.ward
        sample.threads = []
        sample.luns = []
        var facts: [Fact] = []
        for (vm, tid) in [("a", 10), ("b", 20)] {
            for number in 0..<6 {
                var lun = LUN(id: "vd\(number)", device: "virtio-blk-pci")
                lun.vm = vm
                lun.rates.iops = Double(number) * 100
                lun.rates.reads = lun.rates.iops
                lun.hostDisk = vm == "a" ? "dm-0" : "dm-1"
                lun.isOnMainLoop = true
                if number % 2 == 1 { lun.throttle = "iops-total=1000 group=g" }
                let subject = Subject(vm: vm, .lun(lun.id))
                facts.append(Fact(subject, .adapterID, "scsi0", from: "x"))
                facts.append(Fact(subject, .mountSource, "/dev/dm-0", from: "x"))
                facts.append(Fact(subject, .fileGrowth, 2, from: "x"))
                facts.append(Fact(subject, .fileSystemSize, .count(1 << 40), from: "x"))
                sample.luns.append(lun)
            }
            var main = ThreadActivity(tid: tid, role: .main, name: "main loop")
            var served = ThreadActivity(
                tid: tid + 1, role: .iothread, name: "IO io0", luns: ["vd1", "vd0", "vd2"])
            (main.vm, served.vm) = (vm, vm)
            sample.threads += [main, served]
        }
        sample.vms = ["a", "b"].map { [first = sample.vms[0]] name in
            var machine = first
            machine.name = name
            return machine
        }
        sample.host.disks = ["dm-0", "dm-1", "md0", "sda", "sdb", "sdc"].map {
            var disk = HostDisk(name: $0)
            disk.isRotational = false
            return disk
        }
        for (place, ids) in [
            (0, sample.luns.prefix(6).map(\.qualifiedID)),
            (1, sample.luns.suffix(6).map(\.qualifiedID)), (2, ["a/vd5", "b/vd5"]),
        ] {
            sample.host.disks[place].luns = ids
        }
        facts += leaves.map { Fact(Subject(.disk($0)), .leaves, .texts($1), from: "slaves") }
        sample.facts = FactSheet(facts)
        return sample
    }()
}
