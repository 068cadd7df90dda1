import ProcFS
import Testing

@Suite struct ProcessTextTests {
    private static let mountinfo = """
        27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
        36 27 0:31 / /srv/vm\\040images rw,noatime shared:1 master:2 - nfs4 nas:/a\\134b rw,vers=4.2
        41 27 0:40 / /mnt rw - tmpfs  rw

        """

    @Test func mounts() throws {
        let mounts = try parse(Self.mountinfo, MountTable.init).mounts
        #expect(mounts.map(\.id) == [27, 36, 41])
        #expect(mounts.map(\.major) == [254, 0, 0])
        #expect(mounts.map(\.minor) == [0, 31, 40])
        #expect(mounts.map(\.point) == ["/", "/srv/vm images", "/mnt"])
        #expect(mounts.map(\.type) == ["ext4", "nfs4", "tmpfs"])
        #expect(mounts.map(\.source) == ["/dev/vda", "nas:/a\\b", ""])
    }

    @Test(arguments: [
        ("\\033[2J", "\u{FFFD}[2J"), ("\\04", "\\04"), ("\\777", "\\777"), ("a\\", "a\\"),
        ("\\048", "\\048"), ("\\303\\244", "ä"), ("\\377", "\u{FFFD}"),
    ])
    func escapesOfMountPoints(written: String, read: String) throws {
        let mounts = try parse("1 1 8:1 / /\(written) rw - xfs /dev/sda1 rw\n", MountTable.init)
        #expect(mounts.mounts.first?.point == "/" + read)
    }

    @Test(arguments: [
        ("1 1 8:1 / / rw - xfs /dev/sda1 rw", "newline"), ("\n", "mount ID"),
        ("x 1 8:1 / / rw - xfs s rw\n", "mount ID"), ("1 1 8 / / rw - xfs s rw\n", "major:minor"),
        ("1 1 8:-1 / / rw - xfs s rw\n", "major:minor"), ("1 1 8:1 / / rw xfs s\n", "separator"),
        ("1 1 8:1 / / rw -\n", "filesystem type"), ("1 1 8:1 / / rw - xfs\n", "mount source"),
    ])
    func badMountsNameTheField(text: String, field: String) {
        #expect(complaint(text, MountTable.init) == field)
    }

    @Test func descriptors() throws {
        let info = try parse(
            "pos:\t0\nflags:\t02140002\nmnt_id:\t27\nino:\t5\n", DescriptorInfo.init)
        #expect(info.flags == 0o2140002)
        #expect(info.mountID == 27)
    }

    @Test(arguments: [
        ("pos:\t0\n", "flags"), ("flags:\t08\nmnt_id:\t1\n", "flags"), ("flags:\t01", "flags"),
        ("flags:\t\nmnt_id:\t1\n", "flags"), ("flags:\t7777777777777777777777\n", "flags"),
        ("flags:\t01\n", "mnt_id"), ("flags:\t01\nmnt_id:\t-1\n", "mnt_id"),
    ])
    func badDescriptorsNameTheField(text: String, field: String) {
        #expect(complaint(text, DescriptorInfo.init) == field)
    }

    @Test func argumentsEndWithAZeroByte() throws {
        let parsed = { (text: String) in try parse(text) { CommandLine($0).arguments } }
        #expect(try parsed("qemu\0-name\0\0a b\0") == ["qemu", "-name", "", "a b"])
        #expect(try parsed("rewritten title") == ["rewritten title"])
        #expect(try parsed("").isEmpty)
    }

    @Test func theUserAProcessActsAs() throws {
        let text = "Name:\tx\nUid:\t1000\t107\t107\t107\nGid:\t1\t1\t1\t1\n"
        #expect(try parse(text, ProcessStatus.init).effectiveUser == 107)
        #expect(complaint("Uid:\t0\n", ProcessStatus.init) == "Uid")
        #expect(complaint("Uid:\t0\t4294967296\n", ProcessStatus.init) == "Uid")
        #expect(complaint("Gid:\t0\t0\n", ProcessStatus.init) == "Uid")
    }

    @Test func contextsOfAsynchronousIO() throws {
        let text = """
            7f1c0000-7f1c4000 rw-s 00000000 00:10 2311                       /[aio] (deleted)
            7f1d0000-7f1d4000 rw-s 00000000 00:10 2312                       /[aio] (deleted)
            7f1e0000-7f1e4000 rw-s 00000000 fe:00 77                         /[aio] (deleted)
            7f1f0000-7f1f4000 rw-p 00000000 00:00 0
            7f200000-7f204000 r--p 00000000 fe:00 78                         /tmp/[aio]
            7f210000-7f214000 rw-s 00000000 00:10 2313                       /[aio] (del
            """
        #expect(try parse(text) { MemoryMaps($0).aioContexts } == 2)
    }

    /// Bytes changed at random, and every prefix: an error or a value, never a trap.
    @Test(arguments: [42 as UInt64, 4711])
    func noiseNeverTraps(seed: UInt64) {
        var state = seed
        let draw = { () -> Int in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        let texts = [
            Self.mountinfo, "CPU0 CPU1\n 1: 3 4 a b\nERR: 3\n", "flags:\t0100\nmnt_id:\t1\n",
            "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", "none [bfq]\n", "1 2\n",
            "1-2 rw-s 0 00:10 9  /[aio]\n",
        ].map { Array($0.utf8) }
        let likely = Array("0 9\n\t:\\[]-/".utf8) + [0, 0x1B, 0x80, 0xFF]
        var table = EventTable(file: "interrupts")
        for _ in 0..<4000 {
            var bytes = texts[draw() % texts.count]
            for _ in 0..<draw() % 6 { bytes[draw() % bytes.count] = likely[draw() % likely.count] }
            bytes.removeLast(draw() % 2 * (draw() % bytes.count))
            _ = try? MountTable(bytes.span)
            _ = try? DescriptorInfo(bytes.span)
            _ = try? DiskCounters(bytes.span)
            _ = try? DiskScheduler(bytes.span)
            _ = try? DiskInFlight(bytes.span)
            _ = try? ProcessStatus(bytes.span)
            _ = MemoryMaps(bytes.span)
            _ = CommandLine(bytes.span)
            var walk = DiskStatsLines()
            while (try? walk.next(in: bytes.span)) != nil {}
            guard (try? table.read(bytes.span)) != nil else { continue }
            #expect(table.counts.count == table.lineCount * table.cpus.count)
            _ = (0..<table.lineCount).map { table.name($0) + table.detail($0) }
        }
    }
}
