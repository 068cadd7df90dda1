import Host
import Kernel
import SystemPackage
import Telemetry
import Testing

@Suite struct ProcessFactsTests {
    private let vm = FakeVM()

    @Test func whatIsKnownAtOnce() {
        var watch = FactWatch(vm)
        watch.run()
        #expect(watch.value(.uptime) == 1000)
        #expect(watch.value(.swappedMemory) == 2_097_152)
        #expect(watch.value(.lockedMemory) == 0)
        #expect(watch.value(.openFileLimit) == 1024)
        #expect(watch.value(.lockedMemoryLimit) == -1)
        #expect(watch.value(.elfClass) == 64)
        #expect(watch.value(.openFiles) == 0)
        #expect(watch.value(.aioContexts) == 1)
        #expect(watch.value(.ioUrings) == 0)
        #expect(watch.value(.vcpuCPUs) == ["0-1", "3"])
        #expect(watch.value(.allowedCPUs, .ioThread("io0")) == "0-3")
        #expect(watch.value(.threadsAreAnonymous) == false)
        #expect(watch.value(.cpuQuota) == "max")
        #expect(watch.value(.cpuThrottled) == 0)
        #expect(watch.value(.missingRights, .tool) == .texts([]))
        #expect(watch.reason(.majorFaults) == "needs a second reading")
        #expect(watch.fact(.swappedMemory)?.source == "/proc/1/status")
    }

    @Test func silenceWhereNothingIsNew() {
        var watch = FactWatch(vm)
        watch.run(11)
        for _ in 0..<9 {
            watch.run()
            #expect(!watch.hasNews)
        }
        // Half a percent more is no news; swapping is, ten seconds later at most.
        vm["status"] = "VmLck: 0 kB\nVmSwap: 2049 kB\n"
        watch.run(10)
        #expect(watch.value(.swappedMemory) == 2_097_152)
        vm["status"] = "VmLck: 0 kB\nVmSwap: 4096 kB\n"
        watch.run(10)
        #expect(watch.value(.swappedMemory) == 4_194_304)
    }

    @Test func majorFaultsArePerSecond() {
        vm.setThread(1, "qemu-system-x86", majorFaults: 50)
        var watch = FactWatch(vm)
        watch.run(10)
        vm.setThread(1, "qemu-system-x86", majorFaults: 300)
        watch.run()
        #expect(watch.value(.majorFaults) == 25)
    }

    /// What the kernel makes by walking all pages comes one at a time, and seldom.
    @Test func whatTakesLongComesByTurns() {
        vm.host.setDirectory("/sys/devices/system/node", ["node0", "node1"])
        vm["numa_maps"] = "1 default N0=1 N1=3 kernelpagesize_kB=4\n"
        var watch = FactWatch(vm)
        watch.run()
        #expect(watch.value(.hugePageShare) == 50)
        #expect(watch.value(.residentMemory) == 1_048_576)
        #expect(watch.reason(.memoryNode) == "not looked at yet")
        watch.run()
        #expect(watch.value(.memoryNode) == 1)
        #expect(watch.value(.memoryNodeShare) == 75)
        watch.run(290)
        #expect(vm.host.proc.openCount("/proc/1/numa_maps") == 1)
        #expect((4...6).contains(vm.host.proc.openCount("/proc/1/smaps_rollup")))
        watch.run(20)
        #expect(vm.host.proc.openCount("/proc/1/numa_maps") == 2)
    }

    @Test func oneNodeNeedsNoWalk() {
        var watch = FactWatch(vm)
        watch.run(2)
        #expect(watch.value(.memoryNode) == 0)
        #expect(watch.value(.memoryNodeShare) == 100)
        #expect(vm.host.proc.openCount("/proc/1/numa_maps") == 0)
    }

    @Test func ringsOfIOURing() {
        for (fd, mask) in [(7, "0x7f"), (8, "0xff")] {
            vm.host.setLink("/proc/1/fd/\(fd)", to: "anon_inode:[io_uring]")
            vm["fdinfo/\(fd)"] = "SqMask:\t\(mask)\nCqOverflowList:\nNAPI:\tdisabled\n"
        }
        vm.host.setDirectory("/proc/1/fd", ["8", "7", "0"])
        var watch = FactWatch(vm)
        watch.run()
        #expect(watch.value(.openFiles) == 3)
        #expect(watch.value(.ioUrings) == 2)
        #expect(watch.value(.ioUringEntries) == 256)
        #expect(watch.fact(.ioUringEntries)?.source == "/proc/1/fdinfo/8")
        #expect(watch.value(.ioUringOverflow) == false)
        vm["fdinfo/7"] = "SqMask:\t0x7f\nCqOverflowList:\n  user_data=1, res=0, flags=0\n"
        watch.run(60)
        #expect(watch.value(.ioUringOverflow) == true)
        #expect(watch.fact(.ioUringOverflow)?.source == "/proc/1/fdinfo/7")
    }

    @Test func anotherUsersProcess() {
        vm.refuseDirectory("/proc/1/fd")
        for name in ["exe", "smaps_rollup"] {
            vm.host.proc.refuse("/proc/1/\(name)", .notPermitted)
        }
        var watch = FactWatch(vm, files: ["vd0": "/srv/a"])
        watch.run(6)
        let reason = "needs CAP_SYS_PTRACE or the VM's own user"
        for name: FactName in [.openFiles, .aioContexts, .elfClass, .hugePageShare] {
            #expect(watch.reason(name) == reason)
        }
        #expect(watch.reason(.isDevice, .lun("vd0")) == reason)
        #expect(
            watch.value(.missingRights, .tool)
                == .texts(["/proc/1/{exe,fd,smaps_rollup}: \(reason)"]))
        #expect(watch.value(.swappedMemory) != nil)
    }

    @Test func aProcessThatEnded() {
        for name in ["stat", "status", "limits", "exe", "smaps_rollup", "cgroup"] { vm[name] = nil }
        for tid in [1, 2, 5, 6] { vm["task/\(tid)/stat"] = nil }
        vm.host.setDirectory("/proc/1/fd", nil)
        var watch = FactWatch(vm)
        watch.run(12)
        #expect(watch.reason(.uptime) == "there is no such file")
        #expect(watch.reason(.openFiles) == "there is no such file")
        #expect(watch.reason(.cpuThrottled) == "there is no such file")
    }

    // MARK: Threads

    @Test func threadsThatAreAllCalledAlike() {
        for tid in [1, 2, 5, 6] { vm.setThread(tid, "qemu-system-x86") }
        var watch = FactWatch(vm)
        watch.run(11)
        #expect(watch.value(.threadsAreAnonymous) == true)
        #expect(watch.reason(.workers)?.contains("debug-threads=on") == true)
        var blind = FactWatch(vm, threads: [FakeVM.threads[0]])
        blind.run(11)
        #expect(blind.reason(.workers)?.contains("query-cpus-fast") == true)
        #expect(blind.reason(.threadsAreAnonymous)?.contains("query-cpus-fast") == true)
        #expect(blind.reason(.vcpuCPUs)?.contains("query-cpus-fast") == true)
    }

    @Test func threadsThatWaitUninterruptibly() {
        var watch = FactWatch(vm)
        watch.run()
        #expect(watch.reason(.blockedShare, .ioThread("io0"))?.contains("needs 5 looks") == true)
        watch.run(7)
        vm.setThread(2, "IO io0", state: "D", place: "blk_mq_get_tag")
        watch.run(1)
        vm.setThread(2, "IO io0", state: "D", place: "jbd2_log_wait_commit")
        watch.run(2)
        #expect(watch.value(.blockedShare, .ioThread("io0")) == 27.3)
        #expect(watch.value(.blockedIn, .ioThread("io0")) == "jbd2_log_wait_commit")
        #expect(watch.value(.blockedShare) == 0)
        #expect(watch.reason(.blockedIn) == "it was not found in state D")
        // Twenty looks later it is forgotten.
        vm.setThread(2, "IO io0")
        watch.run(20)
        #expect(watch.value(.blockedShare, .ioThread("io0")) == 0)
    }

    @Test func looksAreASecondApart() {
        var watch = FactWatch(vm)
        let count = { vm.host.proc.openCount("/proc/1/task/2/stat") }
        watch.run()
        let first = count()
        _ = watch.facts.update(watch.context, now: 100_200_000_000)
        #expect(count() == first)
        _ = watch.facts.update(watch.context, now: 100_950_000_000)
        #expect(count() == first + 1)
    }

    /// One waits in a disk, one for a server where a signal may wake it, one has nothing to do, one
    /// runs.
    @Test func workersThatWait() {
        vm.setThread(11, "worker", state: "D", place: "blkdev_direct_IO")
        vm.setThread(12, "worker", state: "S", place: "request_wait_answer")
        vm.setThread(13, "worker", state: "S", place: "futex_do_wait")
        vm.setThread(14, "worker", state: "R", place: "0")
        let workers = (11...15).map { WatchedThread(tid: $0, role: .worker, name: "worker") }
        var watch = FactWatch(vm, threads: FakeVM.threads + workers)
        watch.run(11)
        #expect(watch.value(.workers) == 4)
        #expect(watch.value(.workersBlocked) == 50)
    }

    @Test func workersOfTheKernel() {
        let second: UInt64 = 1_000_000_000
        let worker = { (tid: Int) in WatchedThread(tid: tid, role: .worker, name: "iou-wrk-1") }
        vm.setThread(21, "iou-wrk-1", runTime: 100 * second)
        var watch = FactWatch(vm, threads: FakeVM.threads + [worker(21)])
        watch.run(10)
        #expect(watch.value(.ioUringWorkers) == 1)
        #expect(watch.reason(.ioUringWorkerCPU) == "needs a second reading")
        vm.setThread(21, "iou-wrk-1", runTime: 101 * second)
        vm.setThread(22, "iou-wrk-1", runTime: 2 * second)
        watch.context.threads.append(worker(22))
        watch.run()
        #expect(watch.value(.ioUringWorkers) == 2)
        #expect(watch.value(.ioUringWorkerCPU) == 30)
    }

    /// This very process, on whatever host the tests run.
    @Test func thisProcessHasFacts() {
        var facts = ProcessFacts(pid: Process.id)
        let main = WatchedThread(tid: Process.id, role: .main)
        let context = ProcessFacts.Context(threads: [main])
        let sheet = FactSheet(facts.update(context, now: 1_000_000_000) ?? [])
        let value = { (name: FactName) in sheet[name, Subject(.vm)]?.value }
        #expect(value(.elfClass) == 64)
        #expect(value(.openFiles) != nil)
        #expect(value(.residentMemory) != nil)
        #expect(value(.uptime) != nil)
    }
}
