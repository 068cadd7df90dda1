import ProcFS
import Testing

@Suite struct ProcessFactTextTests {
    @Test func lockedAndSwappedMemory() throws {
        let text = "Name:\tq\nVmPeak:\t 9 kB\nVmLck:\t      64 kB\nVmRSS:\t 5 kB\nVmSwap:\t 7 kB\n"
        let memory = try parse(text, ProcessMemory.init)
        #expect(memory.locked == 65_536)
        #expect(memory.swapped == 7168)
        #expect(complaint("VmLck:\t0 kB\n", ProcessMemory.init) == "VmSwap")
        #expect(complaint("VmLck:\t-1 kB\n", ProcessMemory.init) == "VmLck")
    }

    @Test func hugePagesOfEveryKind() throws {
        let text = """
            55ec8388a000-7fff63e4d000 ---p 00000000 00:00 0                          [rollup]
            Rss:               30060 kB
            Pss:               23263 kB
            AnonHugePages:      4096 kB
            ShmemPmdMapped:     2048 kB
            FilePmdMapped:         0 kB
            Shared_Hugetlb:     1024 kB
            Private_Hugetlb:    1024 kB
            Swap:                  0 kB

            """
        let memory = try parse(text, MemoryRollup.init)
        #expect(memory.resident == 32_108 << 10)
        #expect(memory.huge == 8192 << 10)
        // Older kernels know fewer kinds.
        let old = try parse("x [rollup]\nRss: 8 kB\nAnonHugePages: 4 kB\n", MemoryRollup.init)
        #expect(old.resident == 8192)
        #expect(old.huge == 4096)
        #expect(complaint("Pss: 1 kB\n", MemoryRollup.init) == "Rss")
        #expect(complaint("Rss: 1 kB\nAnonHugePages: 4", MemoryRollup.init) == "AnonHugePages")
    }

    @Test func nodesOfMemory() throws {
        let text = """
            7f0000000000 default anon=512 dirty=512 active=0 N0=100 N1=412 kernelpagesize_kB=4
            7f1000000000 bind:1 file=/dev/hugepages/N9=4 huge dirty=2 N1=2 kernelpagesize_kB=2048
            7f2000000000 default file=/usr/bin/q mapped=3 N0=3
            7f3000000000 default N7=18446744073709551615 kernelpagesize_kB=4 Nx=3 N=4
            7f4000000000 default N0=9
            """
        let memory = try parse(text) { NodeMemory($0) }
        #expect(memory.bytes[0] == 103 * 4096)
        #expect(memory.bytes[1] == 412 * 4096 + 2 * 2 << 20)
        #expect(memory.bytes[7] == UInt64.max)
        #expect(memory.bytes.count == 3)
        let largest = try parse("1 default N0=1\n2 default N1=3\n") { NodeMemory($0).largest }
        #expect(largest?.node == 1)
        #expect(largest?.percent == 75)
        #expect(try parse("1 default\n") { NodeMemory($0).largest } == nil)
    }

    @Test func limitsOfAProcess() throws {
        let head =
            "Limit                     Soft Limit           Hard Limit           Units     \n"
        let text =
            head
            + "Max open files            1024                 524288               files     \n"
            + "Max locked memory         unlimited            unlimited            bytes     \n"
        let limits = try parse(text, ProcessLimits.init)
        #expect(limits.openFiles == 1024)
        #expect(limits.lockedMemory == nil)
        #expect(complaint(head, ProcessLimits.init) == "Max open files")
        #expect(complaint("Max open files many\n", ProcessLimits.init) == "Max open files")
        #expect(
            complaint("Max open files 5\nMax locked memory\n", ProcessLimits.init)
                == "Max locked memory")
    }

    @Test func smallFilesOfAThread() throws {
        let status = "Cpus_allowed:\tff\nCpus_allowed_list:\t0-3,8\nMems_allowed:\t1\n"
        #expect(try parse(status, ThreadAffinity.init).allowedCPUs == "0-3,8")
        #expect(complaint("Cpus_allowed:\tff\n", ThreadAffinity.init) == "Cpus_allowed_list")
        #expect(try parse("blk_mq_get_tag") { WaitChannel($0).name } == "blk_mq_get_tag")
        #expect(try parse("0") { WaitChannel($0).name } == nil)
        #expect(try parse("") { WaitChannel($0).name } == nil)
        #expect(try parse("8123.45 12345.67\n", HostUptime.init).seconds == 8123.45)
        #expect(complaint("8123.4", HostUptime.init) == "uptime")
        #expect(complaint("nan 1\n", HostUptime.init) == "uptime")
    }

    @Test(arguments: [(UInt8(1), 32), (2, 64)])
    func widthOfAProgram(byte: UInt8, bits: Int) throws {
        let head = [0x7F] + Array("ELF".utf8) + [byte]
        #expect(try ELFClass(head.span).bits == bits)
        for bad in [Array(head.dropLast()), Array("#!/bi".utf8), head.dropLast() + [3]] {
            #expect(throws: ProcFSError.self) { try ELFClass(bad.span) }
        }
    }

    private static let ring = """
        pos:\t0
        flags:\t02000002
        SqMask:\t0x7f
        CqMask:\t0xff
        PollList:
        CqOverflowList:

        """

    @Test func ringsOfIOURing() throws {
        let ring = try parse(Self.ring + "NAPI:\tdisabled\n", IOUringInfo.init)
        #expect(ring.entries == 128)
        #expect(!ring.hasOverflowed)
        let full = Self.ring + "  user_data=140234, res=4096, flags=0\nNAPI:\tdisabled\n"
        #expect(try parse(full, IOUringInfo.init).hasOverflowed)
        #expect(try !parse(Self.ring, IOUringInfo.init).hasOverflowed)
        #expect(complaint("UserFiles:\t0\n", IOUringInfo.init) == "SqMask")
        #expect(complaint("SqMask:\t0xfffffffff\n", IOUringInfo.init) == "SqMask")
        #expect(complaint("SqMask:\t0x7f\n", IOUringInfo.init) == "CqOverflowList")
    }

    @Test func groupsOfAProcess() throws {
        let text =
            "9:name=systemd:/a\n1:cpu,cpuacct:/m.slice/q:1\n0::/m.slice/q.scope\nx\n2:b\n3:c:d\n"
        let paths = try parse(text) { CgroupPaths($0) }
        #expect(paths.unified == "/m.slice/q.scope")
        #expect(
            paths.byController == [
                "name=systemd": "/a", "cpu": "/m.slice/q:1", "cpuacct": "/m.slice/q:1",
            ])
    }

    @Test func quotasOfCPU() throws {
        let quota = try parse("50000 100000\n", CPUQuota.init)
        #expect(quota.quota == 50_000)
        #expect(quota.text == "50000 100000")
        #expect(try parse("max 100000\n", CPUQuota.init).quota == nil)
        let old = { (text: Span<UInt8>) throws(ProcFSError) in
            try CPUQuota(quota: text, period: 5)
        }
        #expect(try parse("-1\n", old).text == "max 5")
        #expect(try parse("20\n", old).text == "20 5")
        #expect(complaint("max\n", CPUQuota.init) == "period")
        #expect(complaint("-2 1\n", CPUQuota.init) == "quota")
        let new = "usage_usec 9\nnr_throttled 2\nthrottled_usec 7\n"
        #expect(try parse(new, ThrottledTime.init).total == 7000)
        #expect(try parse("nr_throttled 2\nthrottled_time 7\n", ThrottledTime.init).total == 7)
        #expect(complaint("usage_usec 9\n", ThrottledTime.init) == "throttled_usec")
        #expect(complaint("\n", ThrottledTime.init) == "key")
    }

    @Test func ioOfAGroup() throws {
        let limits = try parse("8:0 rbps=max wbps=1048576 riops=max wiops=120\n") { CgroupIO($0) }
        #expect(limits.byDevice["8:0"]?.text == "rbps=max wbps=1048576 riops=max wiops=120")
        let text = "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5\n259:0 \nx rios=1\n8:16 rios=7\n"
        let counters = try parse(text) { CgroupIO($0) }.byDevice
        #expect(counters["8:0"]?.writeBytes == 2)
        #expect(counters["8:0"]?.writes == 4)
        #expect(counters["8:16"]?.reads == 7)
        #expect(Set(counters.keys) == ["8:0", "259:0", "8:16"])
    }

    @Test func ioOfAGroupOfVersion1() throws {
        var io = CgroupIO()
        try parse("8:0 1048576\n8:16 x\n") { io.addLimits(.bytes, areReads: false, $0) }
        try parse("8:0 100\n") { io.addLimits(.requests, areReads: true, $0) }
        #expect(io.byDevice["8:0"]?.text == "rbps=max wbps=1048576 riops=100 wiops=max")
        #expect(io.byDevice.count == 1)
        var counted = CgroupIO()
        try parse("8:0 Read 3\n8:0 Write 4\n8:0 Total 7\nTotal 7\n") {
            counted.addCounters(.requests, $0)
        }
        #expect(counted.byDevice["8:0"]?.reads == 3)
        #expect(counted.byDevice["8:0"]?.writes == 4)
        #expect(counted.byDevice.count == 1)
    }

    @Test func whatNFSDid() throws {
        let text = """
            device /dev/vda mounted on / with fstype ext4
            device nas:/vol mounted on /srv/vm\\040images with fstype nfs4 statvers=1.1
            \topts:\trw,vers=4.2,rsize=1048576
            \txprt:\ttcp 0 1 1 0 0 10 10 0 10 0
            \tper-op statistics
            \t        NULL: 1 1 0 44 24 0 0 0 0
            \t        READ: 10 10 0 1500 655360 30 40 70 0
            \t       WRITE: 4 4 0 262144 500 8 12 20 0
            \t      COMMIT: 1 1 0 9 9 9 9 9 0
            device nas:/b mounted on /b with fstype nfs statvers=1.1
            \t        READ: 1 1
            device tmpfs mounted on /tmp with fstype tmpfs
            \t        READ: 9 9 9 9 9 9 9 9 9

            """
        let mounts = try parse(text) { NFSStatistics($0).mounts }
        #expect(Set(mounts.keys) == ["/srv/vm images", "/b"])
        let mount = try #require(mounts["/srv/vm images"])
        #expect(mount.read.count == 10)
        #expect(mount.read.receivedBytes == 655_360)
        #expect(mount.read.queueTime == 30)
        #expect(mount.read.serverTime == 40)
        #expect(mount.write.sentBytes == 262_144)
        #expect(mounts["/b"]?.read.count == 0)
    }

    @Test func optionsOfMounts() throws {
        let text = """
            1 1 0:31 /sub /a rw,noatime - nfs4 n:/a rw,noatime,vers=4.2,soft
            2 1 8:1 / /b ro - ext4 /dev/sda1 rw,discard
            3 1 8:1 / /c rw - ext4 /dev/sda1

            """
        let mounts = try parse(text, MountTable.init).mounts
        #expect(mounts.map(\.options) == ["rw,noatime,vers=4.2,soft", "ro,discard", "rw"])
        #expect(mounts.map(\.root) == ["/sub", "/", "/"])
    }

    @Test func numbersOfDevices() throws {
        #expect(try parse("8:0\n", DeviceNumber.init).text == "8:0")
        #expect(complaint("8:", DeviceNumber.init) == "major:minor")
    }

    /// Bytes changed at random, and prefixes: an error or a value, never a trap.
    @Test(arguments: [23 as UInt64, 815])
    func noiseNeverTraps(seed: UInt64) {
        var state = seed
        let draw = { () -> Int in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        let texts = [
            Self.ring, "VmLck:\t1 kB\nVmSwap:\t2 kB\n", "1 default N0=3 kernelpagesize_kB=4\n",
            "Max open files 1 2 f\nMax locked memory 3 4 b\n", "0::/a\n1:cpu:/b\n", "5 10\n",
            "8:0 rbps=max wbps=1\n8:0 Read 4\n8:0 5\n", "throttled_usec 7\n", "1.5 2\n",
            "device n:/a mounted on /b with fstype nfs4 v\n READ: 1 2 3 4 5 6 7 8\n",
            "Rss: 1 kB\nAnonHugePages: 2 kB\n", "Cpus_allowed_list:\t0-1\n",
        ].map { Array($0.utf8) }
        let likely = Array("0 9\n\t:=N-/".utf8) + [0, 0x1B, 0x80, 0xFF]
        for _ in 0..<6000 {
            var bytes = texts[draw() % texts.count]
            for _ in 0..<draw() % 6 { bytes[draw() % bytes.count] = likely[draw() % likely.count] }
            bytes.removeLast(draw() % 2 * (draw() % bytes.count))
            let text = bytes.span
            _ = try? IOUringInfo(text)
            _ = try? ProcessMemory(text)
            _ = try? MemoryRollup(text)
            _ = NodeMemory(text).largest
            _ = try? ProcessLimits(text)
            _ = try? ThreadAffinity(text)
            _ = CgroupPaths(text)
            _ = try? CPUQuota(text)
            _ = try? ThrottledTime(text)
            _ = try? HostUptime(text)
            _ = NFSStatistics(text)
            _ = WaitChannel(text)
            var io = CgroupIO(text)
            io.addLimits(.bytes, areReads: true, text)
            io.addCounters(.requests, text)
        }
    }
}
