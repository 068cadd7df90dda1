import Host
import Kernel
import SystemPackage
import Telemetry
import Testing

@Suite struct CgroupFactsTests {
    private let vm = FakeVM()
    private let vd0 = Scope.lun("vd0")
    private static let scope = "/sys/fs/cgroup/m.slice/q.scope"
    private static let second: UInt64 = 1_000_000_000

    private func openDisk() {
        vm.open(9, "/srv/a", FakeVM.file(inode: 5, size: 1, allocated: 0))
    }

    /// libvirt's groups: the IOThread's own is not limited, but the one of a vCPU and one above.
    @Test func quotasOfCPU() {
        vm["cgroup"] = "0::/m.slice/q.scope/libvirt/emulator\n"
        vm["task/2/cgroup"] = "0::/m.slice/q.scope/libvirt/iothread1\n"
        vm["task/6/cgroup"] = "0::/m.slice/q.scope/libvirt/vcpu0\n"
        let vcpu = Self.scope + "/libvirt/vcpu0"
        vm[Self.scope + "/libvirt/emulator/cpu.max"] = "max 100000\n"
        vm[Self.scope + "/libvirt/iothread1/cpu.max"] = "max 100000\n"
        vm[vcpu + "/cpu.max"] = "50000 100000\n"
        vm[vcpu + "/cpu.stat"] = "usage_usec 5\nthrottled_usec 1000\n"
        vm["/sys/fs/cgroup/m.slice/cpu.max"] = "400000 100000\n"
        vm["/sys/fs/cgroup/m.slice/cpu.stat"] = "throttled_usec 0\n"
        var watch = FactWatch(vm)
        watch.run(10)
        #expect(watch.reason(.cpuThrottled) == "needs a second reading")
        vm[vcpu + "/cpu.stat"] = "usage_usec 5\nthrottled_usec 2501000\n"
        vm["/sys/fs/cgroup/m.slice/cpu.stat"] = "throttled_usec 100000\n"
        watch.run()
        #expect(watch.value(.cpuThrottled) == 25)
        #expect(watch.value(.cpuQuota) == "50000 100000")
        #expect(watch.fact(.cpuQuota)?.source == vcpu + "/cpu.max")
        #expect(watch.value(.cpuThrottled, .ioThread("io0")) == 1)
        // The main loop's own is not limited either.
        #expect(watch.value(.mainLoopThrottled) == 1)
        #expect(watch.value(.cpuQuota, .ioThread("io0")) == "400000 100000")
        // Several CPUs that wait at once are no more than all the time.
        vm[vcpu + "/cpu.stat"] = "throttled_usec 99000000\n"
        watch.run(10)
        #expect(watch.value(.cpuThrottled) == 100)
    }

    @Test func quotasOfVersion1() {
        vm["/proc/self/mountinfo"] =
            "30 1 0:26 /docker/x /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
            + "31 1 0:27 / /cg/blkio rw - cgroup cgroup rw,blkio\n"
        vm["cgroup"] = "1:cpuacct,cpu:/docker/x/q\n2:blkio:/q\n0::/\n"
        vm["/cg/cpu/q/cpu.cfs_quota_us"] = "20000\n"
        vm["/cg/cpu/q/cpu.cfs_period_us"] = "100000\n"
        vm["/cg/cpu/q/cpu.stat"] = "nr_periods 3\nnr_throttled 2\nthrottled_time 0\n"
        vm["/cg/cpu/cpu.cfs_quota_us"] = "-1\n"
        vm["/cg/cpu/cpu.cfs_period_us"] = "100000\n"
        vm["/cg/blkio/q/blkio.throttle.write_bps_device"] = "8:0 1000000\n"
        vm["/cg/blkio/q/blkio.throttle.io_service_bytes"] = "8:0 Read 5\n8:0 Write 0\nTotal 5\n"
        openDisk()
        var watch = FactWatch(vm, files: ["vd0": "/srv/a"])
        watch.run(10)
        vm["/cg/cpu/q/cpu.stat"] = "throttled_time \(4 * Self.second)\n"
        vm["/cg/blkio/q/blkio.throttle.io_service_bytes"] = "8:0 Write 9500000\n"
        watch.run()
        #expect(watch.value(.cpuQuota) == "20000 100000")
        #expect(watch.value(.cpuThrottled) == 40)
        #expect(watch.value(.ioLimit, vd0) == "8:0 rbps=max wbps=1000000 riops=max wiops=max")
        #expect(watch.value(.ioLimitUse, vd0) == 95)
    }

    /// Of the group's own limits and those above, of all kinds, the nearest counts.
    @Test func limitsOfIO() {
        let setCounters = { (bytes: Int, requests: Int) in
            let text = "8:0 rbytes=\(bytes) wbytes=0 rios=\(requests) wios=0 dbytes=0 dios=0\n"
            vm[Self.scope + "/io.stat"] = text
            vm["/sys/fs/cgroup/m.slice/io.stat"] = text
        }
        vm[Self.scope + "/io.max"] =
            "8:0 rbps=10000000 wbps=max riops=1000 wiops=max\n8:9 riops=1\n"
        vm["/sys/fs/cgroup/m.slice/io.max"] = "8:0 rbps=2000000 wbps=max riops=max wiops=max\n"
        setCounters(0, 0)
        openDisk()
        var watch = FactWatch(vm, files: ["vd0": "/srv/a"])
        watch.run(10)
        #expect(watch.reason(.ioLimitUse, vd0) == "needs a second reading")
        setCounters(4_000_000, 5000)
        watch.run()
        #expect(watch.value(.ioLimitUse, vd0) == 50)
        #expect(
            watch.value(.ioLimit, vd0) == "8:0 rbps=10000000 wbps=max riops=1000 wiops=max")
        setCounters(22_000_000, 5000)
        watch.run(10)
        #expect(watch.value(.ioLimitUse, vd0) == 90)
        #expect(
            watch.fact(.ioLimit, vd0)?.source == "/sys/fs/cgroup/m.slice/io.max (sda)")
    }

    @Test func aGroupOutsideOfWhatIsMounted() {
        vm["cgroup"] = "0::/../../q.scope\n"
        openDisk()
        var watch = FactWatch(vm, files: ["vd0": "/srv/a"])
        watch.run()
        let reason = "its control group lies outside of what is mounted here"
        #expect(watch.reason(.cpuQuota) == reason)
        #expect(watch.reason(.ioLimit, vd0) == reason)
    }
}
