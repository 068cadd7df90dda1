import Telemetry
import Testing

struct GuestFileTests {
    @Test(arguments: ["vda", "sdb1", "nvme0n1p2", String(repeating: "a", count: 31)])
    func namesOfDisks(name: String) {
        #expect(GuestDevice(name)?.name == name)
    }

    @Test(arguments: [
        "", "..", "a/b", "vda\n", "VDA", "dm-0", "vd\u{E4}", String(repeating: "a", count: 32),
    ])
    func noPathCanBeMadeOfAnythingElse(name: String) {
        #expect(GuestDevice(name) == nil)
    }

    @Test func wholeDisksAndTheirPartitions() throws {
        func device(_ name: String) throws -> GuestDevice { try #require(GuestDevice(name)) }
        for name in ["vda", "sdaa", "hdc", "xvdb", "nvme0n1", "nvme10n12"] {
            #expect(try device(name).isWholeDisk, "\(name)")
        }
        for name in ["vd", "vda1", "loop0", "nvme0", "nvme0n", "nvmen1", "nvme0n1p1", "sr0"] {
            #expect(try !device(name).isWholeDisk, "\(name)")
        }
        #expect(try device("vda12").isPartition(of: device("vda")))
        #expect(try device("nvme0n1p1").isPartition(of: device("nvme0n1")))
        for (part, disk) in [("vda", "vda"), ("vdaa1", "vda"), ("nvme0n12", "nvme0n1")] {
            #expect(try !device(part).isPartition(of: device(disk)), "\(part)")
        }
    }

    @Test func everyPathLiesBelowProcOrSys() throws {
        let disk = try #require(GuestDevice("vda"))
        let files: [GuestFile] = [
            .clocksource, .clocksources, .bootLine, .delayAccounting, .cpuInfo, .idleGovernor,
            .mounts, .useBio, .interrupts, .diskStats, .scheduler(disk), .addRandom(disk),
            .rotational(disk), .hardwareQueue(disk, 3), .partitionStart(disk),
        ]
        for file in files {
            #expect(file.path.hasPrefix("/proc/") || file.path.hasPrefix("/sys/"))
            #expect(!file.path.contains(".."))
        }
    }
}
