import Host
import Kernel
import SystemPackage
import Telemetry
import Testing

@Suite struct HostSettingsTests {
    @Test func theKernelsSettings() {
        let server = FactHost()
        #expect(server.update(at: 1))
        #expect(server.value(.kernelRelease) == "6.8.0-45-generic")
        #expect(server.value(.bootCommandLine) == "root=/dev/sda2 quiet")
        #expect(server.value(.architecture) == "x86_64")
        #expect(server.value(.delayAccounting) == true)
        #expect(server.value(.ioUringDisabled) == 2)
        #expect(server.value(.clocksource) == "tsc")
        #expect(server.value(.aioLimit) == 65_536)
        #expect(server.value(.hugePages) == "madvise")
        #expect(server.value(.sharedHugePages) == "never")
        #expect(server.value(.dirtyRatio) == 20)
        #expect(server.value(.dirtyBackgroundRatio) == 10)
        #expect(server.value(.ksmRun) == 0)
        #expect(server.sheet[.aioLimit, Subject(.host)]?.source == "/proc/sys/fs/aio-max-nr")
    }

    @Test func kvmOnIntelAndOnAMD() {
        let server = FactHost()
        server.update(at: 1)
        #expect(server.value(.haltPoll) == 200_000)
        #expect(server.value(.nxHugePages) == "Y")
        #expect(server.value(.l1dFlush) == "cond")
        #expect(server.value(.apicVirtualization) == false)
        server.host.setDirectory("/sys/module/kvm_amd", ["parameters"])
        server["/sys/module/kvm_amd/parameters/avic"] = "1\n"
        server["/sys/module/kvm_intel/parameters/vmentry_l1d_flush"] = nil
        server.update(at: 61)
        #expect(server.value(.apicVirtualization) == true)
        #expect(server.reason(.l1dFlush) == "kvm_intel is not loaded")
    }

    @Test func withoutKVM() {
        let server = FactHost()
        server.host.setDirectory("/sys/module/kvm", nil)
        for file in ["kvm/parameters/halt_poll_ns", "kvm_intel/parameters/enable_apicv"] {
            server["/sys/module/" + file] = nil
        }
        server.update(at: 1)
        #expect(server.reason(.haltPoll) == "kvm is not loaded")
        #expect(server.reason(.apicVirtualization) == "kvm is not loaded")
    }

    @Test func processors() {
        let server = FactHost()
        server.update(at: 1)
        #expect(server.value(.cpuCount) == 4)
        #expect(server.value(.threadSiblings) == ["0,2", "1,3"])
        #expect(server.value(.numaNodes) == 2)
        #expect(server.value(.isVirtualMachine) == true)
        #expect(server.value(.frequencyGovernor) == "powersave")
        #expect(server.value(.energyPreference) == "balance_power")
    }

    /// Cores are looked at again only when CPUs were switched on or off.
    @Test func aCPUSwitchedOff() {
        let server = FactHost()
        server.update(at: 1)
        let siblings = "/sys/devices/system/cpu/cpu1/topology/thread_siblings_list"
        #expect(server.host.proc.openCount(siblings) == 1)
        server.update(at: 61)
        #expect(server.host.proc.openCount(siblings) == 1)
        server["/sys/devices/system/cpu/online"] = "0-2\n"
        server[siblings] = "1\n"
        server.update(at: 121)
        #expect(server.value(.cpuCount) == 3)
        #expect(server.value(.threadSiblings) == ["0,2"])
    }

    @Test func aMachineThatIsNone() {
        let server = FactHost()
        server["/proc/cpuinfo"] = "processor\t: 0\nflags\t\t: fpu hypervisors\n"
        server.update(at: 1)
        #expect(server.value(.isVirtualMachine) == false)
        server["/proc/cpuinfo"] = "processor\t: 0\nFeatures\t: fp asimd\n"
        server.update(at: 61)
        #expect(server.reason(.isVirtualMachine) == "only CPUs of x86 tell")
    }

    // MARK: Kernels of other ages

    @Test(arguments: [
        ("4.18.0-553.el8_10.x86_64", "quiet", true), ("5.10.0", "a nodelayacct b", false),
    ])
    func delayAccountingBeforeItHadASetting(release: String, bootLine: String, isOn: Bool) {
        let server = FactHost()
        server["/proc/sys/kernel/task_delayacct"] = nil
        server["/proc/sys/kernel/osrelease"] = release + "\n"
        server["/proc/cmdline"] = bootLine + "\n"
        server.update(at: 1)
        #expect(server.value(.delayAccounting) == .flag(isOn))
    }

    private static let releases: [(String, Int?, String?)] = [
        ("6.5.0-rc1", 0, nil), ("5.1.0", 0, nil), ("5.0.21", nil, "io_uring came with Linux 5.1"),
        ("6.6.1", nil, "this kernel is built without io_uring"),
    ]

    @Test(arguments: releases)
    func ioUringBeforeItCouldBeForbidden(release: String, value: Int?, reason: String?) {
        let server = FactHost()
        server["/proc/sys/kernel/io_uring_disabled"] = nil
        server["/proc/sys/kernel/osrelease"] = release + "\n"
        server.update(at: 1)
        #expect(server.value(.ioUringDisabled) == value.map { .count($0) })
        #expect(server.reason(.ioUringDisabled) == reason)
    }

    /// A file that cannot be read says nothing of the setting.
    @Test func whatIsRefusedIsNotGuessed() {
        let server = FactHost()
        server["/proc/sys/kernel/osrelease"] = "5.10.0\n"
        server.host.proc.refuse("/proc/sys/kernel/io_uring_disabled", .permissionDenied)
        server.host.proc.refuse("/proc/sys/fs/aio-max-nr", .permissionDenied)
        server.update(at: 1)
        #expect(server.value(.ioUringDisabled) == nil)
        #expect(server.reason(.aioLimit) == "Permission denied; as told")
    }

    @Test func theProgramTellsTheArchitectureOfOldKernels() {
        let server = FactHost()
        server["/proc/sys/kernel/arch"] = nil
        server["/proc/self/exe"] =
            "\u{7F}ELF\u{2}\u{1}" + String(repeating: "\0", count: 12) + "\u{3E}\0more"
        server.update(at: 1)
        #expect(server.value(.architecture) == "x86_64")
        server["/proc/self/exe"] = "#!/bin/sh and more than twenty bytes"
        server.update(at: 61)
        #expect(server.value(.architecture) == nil)
    }

    @Test func whatWouldActOnATerminalIsTakenOut() {
        let server = FactHost()
        server["/proc/cmdline"] = "quiet \u{1B}[2Jx\n"
        server["/proc/sys/vm/dirty_ratio"] = "\u{1B}[2J\n"
        server.update(at: 1)
        #expect(server.value(.bootCommandLine) == "quiet \u{FFFD}[2Jx")
        #expect(server.reason(.dirtyRatio) == "it says “\u{FFFD}[2J”")
    }

    // MARK: Swap

    @Test func disksBelowSwap() {
        let server = FactHost()
        server["/proc/swaps"] = """
            Filename Type Size Used Priority
            /dev/dm-1 partition 8388604 0 -2
            /swap.img file 8388604 0 -3
            /dev/zram0 partition 8388604 0 100

            """
        server.addDisk("sda", at: "pci0000:00/0000:00:17.0/block")
        server.addDisk("dm-1", at: "virtual/block", madeOf: ["sda"])
        server.host.setLink("/sys/dev/block/253:1", to: "../../devices/virtual/block/dm-1")
        server.host.setLink("/sys/dev/block/259:0", to: "../../devices/nvme/nvme0/nvme0n1")
        server.host.setStatus(
            "/dev/dm-1",
            FileStatus(
                kind: .blockDevice, device: .init(major: 0, minor: 6),
                ownDevice: .init(major: 253, minor: 1)))
        server.host.setStatus(
            "/swap.img", FileStatus(kind: .regular, device: .init(major: 259, minor: 0)))
        server.update(at: 1)
        #expect(server.value(.swapDisks) == ["nvme0n1", "sda"])
        #expect(server.value(.swapIsZram) == false)
        server["/proc/swaps"] = "Filename Type\n/dev/zram0 partition 8388604 0 100\n"
        server.update(at: 61)
        #expect(server.value(.swapIsZram) == true)
        #expect(server.value(.swapDisks) == [])
        server["/proc/swaps"] = "Filename Type\n"
        server.update(at: 121)
        #expect(server.value(.swapIsZram) == false)
    }

    // MARK: An NFS server

    @Test func anNFSServer() {
        let server = FactHost()
        server.update(at: 1)
        #expect(server.reason(.nfsServerThreads) == "no NFS server runs here")
        #expect(server.value(.nfsExports) == [])
        #expect(server.reason(.nfsServerQueued) == "no NFS server runs here")
        server["/proc/fs/nfsd/threads"] = "8\n"
        server["/proc/fs/nfsd/exports"] = "# Version 1.1\n/srv\t*(rw,sync)\n"
        server["/proc/fs/nfsd/pool_stats"] = "# pool\n0 100 10 80 0\n"
        server.update(at: 61)
        #expect(server.value(.nfsServerThreads) == 8)
        #expect(server.value(.nfsExports) == ["/srv *(rw,sync)"])
        #expect(server.reason(.nfsServerQueued) == "needs a second reading")
        server["/proc/fs/nfsd/pool_stats"] = "# pool\n0 400 240 80 0\n"
        server.update(at: 71)
        #expect(server.value(.nfsServerQueued) == 23)
    }
}

@Suite struct HostLoadTests {
    @Test func memoryAndPressure() {
        let server = FactHost()
        server.update(at: 1)
        #expect(server.value(.memoryTotal) == .count(64 << 30))
        #expect(server.value(.memoryAvailable) == .count(40 << 30))
        #expect(server.value(.swapTotal) == .count(1 << 20))
        #expect(server.value(.swapFree) == 1_024_000)
        #expect(server.value(.dirtyMemory) == 1_024_000)
        #expect(server.value(.writebackMemory) == 4096)
        #expect(server.value(.dirtyLimit) == .count(1000 * ReadableFile.pageByteCount))
        #expect(server.value(.memoryPressure) == 0)
        #expect(server.value(.ioPressure) == 1.6)
        #expect(server.value(.aioReserved) == 2048)
    }

    @Test func rates() {
        let server = FactHost()
        server.update(at: 1)
        #expect(server.reason(.swapRate) == "needs a second reading")
        #expect(server.reason(.deepIdleShare) == "needs a second reading")
        #expect(server.reason(.frequencyShare) == "needs a second reading")
        server["/proc/vmstat"] = "nr_dirty_threshold 1000\npswpin 200\npswpout 130\n"
        // Ten seconds, of which CPU 0 slept deep for four and no other at all.
        server["/sys/devices/system/cpu/cpu0/cpuidle/state2/time"] = "4004711\n"
        // CPUs 1 and 2 were busy, at 37.5 and 50 % of their frequency.
        server.setTimes(user: [100, 600, 900, 0], idle: [900, 400, 100, 1000])
        server.update(at: 11)
        #expect(server.value(.swapRate) == 23)
        #expect(server.value(.deepIdleShare) == 10)
        #expect(server.value(.frequencyShare) == 37.5)
        server.setTimes(user: [100, 600, 900, 0], idle: [1900, 1400, 1100, 2000])
        server.update(at: 21)
        #expect(server.reason(.frequencyShare) == "no CPU is busy")
    }

    /// The sleep of CPUs on which no VM runs is nobody's loss.
    @Test func onlyCPUsThatServeVMsMustNotSleep() {
        let server = FactHost()
        let rest = { (cpu: Int, seconds: Int) in
            server["/sys/devices/system/cpu/cpu\(cpu)/cpuidle/state2/time"] =
                "\(seconds * 1_000_000)\n"
        }
        for cpu in 0..<4 { rest(cpu, 0) }
        server.update(servingCPUs: [1], at: 1)
        for cpu in [0, 2, 3] { rest(cpu, 9) }
        rest(1, 1)
        server.update(servingCPUs: [1, 2], at: 11)
        #expect(server.value(.deepIdleShare) == 50)
        server.update(servingCPUs: [1], at: 21)
        #expect(server.value(.deepIdleShare) == 0)
        server.update(servingCPUs: [], at: 31)
        #expect(
            server.reason(.deepIdleShare) == "on which CPUs the VMs' threads run is not known")
        // One that was switched off has no times.
        server.update(servingCPUs: [9], at: 41)
        #expect(server.reason(.deepIdleShare) == "needs a second reading")
    }

    @Test func theClockWithoutTurbo() {
        let server = FactHost()
        server.update(at: 1)
        server.setTimes(user: [0, 1000, 1000, 0])
        server.update(at: 11)
        #expect(
            server.reason(.baseFrequencyShare)
                == "this cpufreq driver does not tell the clock without turbo")
        for cpu in 0..<4 {
            server["/sys/devices/system/cpu/cpu\(cpu)/cpufreq/base_frequency"] = "2000000\n"
        }
        server.setTimes(user: [0, 2000, 2000, 0])
        server.update(at: 21)
        #expect(server.value(.frequencyShare) == 37.5)
        #expect(server.value(.baseFrequencyShare) == 75)
    }

    @Test func aPoolOfHugePagesOfEachSize() {
        let server = FactHost()
        server.host.setDirectory(
            "/sys/kernel/mm/hugepages", ["hugepages-2048kB", "hugepages-1048576kB", "other"])
        server.setHugePages(2048, all: 512, free: 512, promised: 256)
        server.setHugePages(1_048_576, all: 10, free: 2, promised: 0)
        server.update(at: 1)
        #expect(server.value(.hugePagePool) == .count(11 << 30))
        #expect(server.value(.hugePagesTaken) == .count(17 << 29))
        server["/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages"] = nil
        server.update(at: 11)
        #expect(server.reason(.hugePagePool) == "hugepages-2048kB does not tell")
        server.host.setDirectory("/sys/kernel/mm/hugepages", nil)
        server.update(at: 21)
        #expect(server.value(.hugePagePool) == 0 && server.value(.hugePagesTaken) == 0)
    }

    @Test func countersThatWentDownHaveNoRate() {
        let server = FactHost()
        server.update(at: 1)
        server["/proc/vmstat"] = "nr_dirty_threshold 1000\npswpin 1\npswpout 0\n"
        server.update(at: 11)
        #expect(server.reason(.swapRate) == "needs a second reading")
        server["/proc/vmstat"] = "nr_dirty_threshold 1000\npswpin 231\npswpout 0\n"
        server.update(at: 21)
        #expect(server.value(.swapRate) == 23)
    }

    @Test func nothingManagesPower() {
        let server = FactHost()
        for cpu in 0..<4 {
            let directory = "/sys/devices/system/cpu/cpu\(cpu)/"
            server.host.setDirectory(directory + "cpufreq", nil)
            server.host.setDirectory(directory + "cpuidle", nil)
            server[directory + "cpufreq/scaling_governor"] = nil
        }
        server.update(at: 1)
        let reason = "the kernel does not set frequencies here: firmware or a hypervisor does"
        #expect(server.reason(.frequencyGovernor) == reason)
        #expect(server.reason(.frequencyShare) == reason)
        #expect(server.reason(.deepIdleShare) == "the kernel does not manage idle states here")
    }

    @Test func idleStatesAreAllShallow() {
        let server = FactHost()
        server["/sys/devices/system/cpu/cpu0/cpuidle/state2/latency"] = "49\n"
        server.update(at: 1)
        #expect(server.value(.deepIdleShare) == 0)
    }

    @Test func aPageMergerAtWork() {
        let server = FactHost()
        server["/sys/kernel/mm/ksm/pages_sharing"] = "1000\n"
        server.update(at: 1)
        #expect(server.value(.ksmCPU) == 0)
        #expect(server.host.listCount("/proc") == 0)
        server["/sys/kernel/mm/ksm/run"] = "1\n"
        server.host.setDirectory("/proc", ["self", "9", "77", "100"])
        server["/proc/9/comm"] = "kthreadd\n"
        server["/proc/77/comm"] = "ksmd\n"
        server["/proc/77/schedstat"] = "1000000000 0 1\n"
        server.update(at: 11)
        #expect(server.reason(.ksmCPU) == "needs a second reading")
        server["/proc/77/schedstat"] = "3300000000 0 1\n"
        server.update(at: 21)
        #expect(server.value(.ksmCPU) == 23)
        #expect(server.value(.ksmPagesSharing) == 1000)
        #expect(server.host.listCount("/proc") == 1)
    }

    // MARK: Interrupts

    private static func interrupts(_ lines: String) -> String {
        "    CPU0 CPU1 CPU2 CPU3\n" + lines + "\nLOC: 9000 9000 9000 9000   Local timer\n"
    }

    @Test func whereStorageInterruptsArrive() {
        let server = FactHost()
        server["/proc/interrupts"] = Self.interrupts(
            """
             16: 0 0 0 0  IO-APIC   16-fasteoi   ehci_hcd:usb1, ahci
             40: 10 0 0 0  PCI-MSIX-0000:01:00.0   1-edge      nvme0q1
             41: 0 20 0 0  PCI-MSIX-0000:02:00.0   1-edge      eth0-rx-0
            """)
        server.update(at: 1)
        #expect(server.reason(.storageInterruptRate) == "needs a second reading")
        server["/proc/interrupts"] = Self.interrupts(
            """
             16: 0 0 2500 0  IO-APIC   16-fasteoi   ehci_hcd:usb1, ahci
             40: 10 0 7500 0  PCI-MSIX-0000:01:00.0   1-edge      nvme0q1
             41: 0 90000 0 0  PCI-MSIX-0000:02:00.0   1-edge      eth0-rx-0
            """)
        server.setTimes(idle: [1000, 1000, 590, 1000], softirq: [0, 0, 410, 0])
        server.update(at: 11)
        #expect(server.value(.storageInterruptRate) == 1000)
        #expect(server.value(.busiestInterruptShare) == 100)
        #expect(server.value(.busiestInterruptCPU) == 2)
        #expect(server.value(.busiestInterruptTime) == 41)
    }

    @Test func fewInterruptsAreOnNoCPUInParticular() {
        let server = FactHost()
        server["/proc/interrupts"] = Self.interrupts(" 40: 0 0 0 0  MSI  1-edge  nvme0q1")
        server.update(at: 1)
        server["/proc/interrupts"] = Self.interrupts(" 40: 999 0 0 0  MSI  1-edge  nvme0q1")
        server.update(at: 11)
        #expect(server.value(.storageInterruptRate) == 99.9)
        #expect(
            server.reason(.busiestInterruptCPU) == "fewer than 100 storage interrupts a second")
    }

    @Test(arguments: [
        ("nvme0q17", true), ("virtio1-req.0", true), ("virtio1-request", true),
        ("virtio3-requests.0", false), ("virtio2-input.0", false), ("virtio1-config", false),
        ("mpt3sas0-msix5", true), ("qla2xxx (rsp_q)", true), ("megasas0-msix3", true),
        ("ahci[0000:00:17.0]", true), ("i915", false),
    ])
    func driversOfStorage(_ device: String, isStorage: Bool) {
        let server = FactHost()
        server["/proc/interrupts"] = Self.interrupts(" 40: 0 0 0 0  MSI  1-edge  \(device)")
        server.update(at: 1)
        server["/proc/interrupts"] = Self.interrupts(" 40: 2300 0 0 0  MSI  1-edge  \(device)")
        server.update(at: 11)
        #expect(server.value(.storageInterruptRate) == (isStorage ? 230 : 0))
    }

    /// An interrupt that came has counts of before it was looked at.
    @Test func interruptsThatCameHaveNoRateYet() {
        let server = FactHost()
        server["/proc/interrupts"] = Self.interrupts(" 40: 0 0 0 0  MSI  1-edge  nvme0q1")
        server.update(at: 1)
        server["/proc/interrupts"] = Self.interrupts(
            " 40: 0 0 0 0  MSI  1-edge  nvme0q1\n 41: 1000000 0 0 0  MSI  1-edge  nvme1q1")
        server.update(at: 11)
        #expect(server.reason(.storageInterruptRate) == "needs a second reading")
    }
}
