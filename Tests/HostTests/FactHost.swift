import Host
import Kernel
import Telemetry

/// A server with a full set of files for `HostFacts`: two cores of two threads, KVM on Intel, an
/// NVMe disk and two paths to a LUN behind qla2xxx.
final class FactHost {
    static let second: Nanoseconds = 1_000_000_000
    let host = FakeHost()
    var facts: HostFacts
    /// As asked for by the last update.
    private(set) var sheet = FactSheet()

    init(memoryPromise: MemoryPromise? = nil) {
        facts = HostFacts(files: host.files, memoryPromise: memoryPromise)
        setKernel()
        setProcessors()
        setLoad()
    }

    subscript(path: String) -> String? {
        get { host.proc[path] }
        set { host.proc[path] = newValue }
    }

    /// Updates, `seconds` after boot; returns whether there was news. VMs run on all CPUs unless
    /// told otherwise.
    @discardableResult func update(
        _ disks: [String] = [], servingCPUs: Set<Int> = [0, 1, 2, 3], at seconds: Double
    ) -> Bool {
        let now = Nanoseconds(seconds * 1e9)
        let found = facts.update(disks: disks, servingCPUs: servingCPUs, now: now)
        guard let found else { return false }
        sheet = FactSheet(found)
        return true
    }

    func value(_ name: FactName, _ scope: Scope = .host) -> FactValue? {
        sheet[name, Subject(scope)]?.value
    }

    func reason(_ name: FactName, _ scope: Scope = .host) -> String? {
        sheet[name, Subject(scope)]?.reason
    }

    // MARK: Settings

    private func setKernel() {
        let texts = [
            "/proc/sys/kernel/osrelease": "6.8.0-45-generic", "/proc/sys/kernel/arch": "x86_64",
            "/proc/cmdline": "root=/dev/sda2 quiet", "/proc/sys/kernel/task_delayacct": "1",
            "/proc/sys/kernel/io_uring_disabled": "2", "/proc/sys/fs/aio-max-nr": "65536",
            "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
            "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
            "/sys/kernel/mm/transparent_hugepage/shmem_enabled": "always [never] deny",
            "/sys/kernel/mm/ksm/run": "0", "/proc/sys/vm/dirty_ratio": "20",
            "/proc/sys/vm/dirty_background_ratio": "10",
            "/sys/module/kvm/parameters/halt_poll_ns": "200000",
            "/sys/module/kvm/parameters/nx_huge_pages": "Y",
            "/sys/module/kvm_intel/parameters/enable_apicv": "N",
            "/sys/module/kvm_intel/parameters/vmentry_l1d_flush": "cond",
            "/proc/swaps": "Filename Type Size Used Priority",
        ]
        for (path, text) in texts { self[path] = text + "\n" }
        host.setDirectory("/sys/module/kvm", ["parameters"])
    }

    private func setProcessors() {
        let cpus = "/sys/devices/system/cpu/"
        self[cpus + "online"] = "0-3\n"
        self["/sys/devices/system/node/has_memory"] = "0-1\n"
        self["/proc/cpuinfo"] = "processor\t: 0\nflags\t\t: fpu vme hypervisor lm\n"
        for cpu in 0..<4 {
            let directory = "\(cpus)cpu\(cpu)/"
            self[directory + "topology/thread_siblings_list"] = "\(cpu % 2),\(cpu % 2 + 2)\n"
            host.setDirectory(directory + "cpufreq", ["scaling_governor"])
            self[directory + "cpufreq/scaling_governor"] =
                cpu == 0 ? "performance\n" : "powersave\n"
            self[directory + "cpufreq/energy_performance_preference"] = "balance_power\n"
            self[directory + "cpufreq/scaling_cur_freq"] = "\(1_000_000 + cpu * 500_000)\n"
            self[directory + "cpufreq/cpuinfo_max_freq"] = "4000000\n"
            host.setDirectory(directory + "cpuidle", ["state0", "state1", "state2"])
            for (state, latency) in [0, 10, 133].enumerated() {
                self["\(directory)cpuidle/state\(state)/latency"] = "\(latency)\n"
                self["\(directory)cpuidle/state\(state)/time"] = "4711\n"
            }
        }
    }

    // MARK: What moves

    private func setLoad() {
        setMemory(available: 40 << 20, dirty: 1000)
        self["/proc/vmstat"] = "nr_dirty_threshold 1000\npswpin 100\npswpout 0\n"
        self["/proc/pressure/memory"] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
        self["/proc/pressure/io"] = "some avg10=1.57 avg60=0.00 avg300=0.00 total=0\n"
        self["/proc/sys/fs/aio-nr"] = "2048\n"
        self["/sys/kernel/mm/ksm/pages_sharing"] = "0\n"
        setTimes()
        self["/proc/interrupts"] = "CPU0 CPU1 CPU2 CPU3\n LOC: 1 1 1 1 Local timer interrupts\n"
        self["/proc/diskstats"] = ""
    }

    /// Both in KiB.
    func setMemory(available: Int, dirty: Int) {
        self["/proc/meminfo"] =
            "MemTotal: \(64 << 20) kB\nMemAvailable: \(available) kB\nSwapTotal: 1024 kB\n"
            + "SwapFree: 1000 kB\nDirty: \(dirty) kB\nWriteback: 4 kB\n"
    }

    /// A pool of huge pages of so many KiB each.
    func setHugePages(_ size: Int, all: Int, free: Int, promised: Int) {
        let directory = "/sys/kernel/mm/hugepages/hugepages-\(size)kB/"
        for (file, count) in [("nr", all), ("free", free), ("resv", promised)] {
            self["\(directory)\(file)_hugepages"] = "\(count)\n"
        }
    }

    /// Ticks of each CPU beyond 1000 idle ones.
    func setTimes(
        user: [Int] = [0, 0, 0, 0], idle: [Int] = [0, 0, 0, 0], softirq: [Int] = [0, 0, 0, 0]
    ) {
        let lines = (0..<4).map {
            "cpu\($0) \(user[$0]) 0 0 \(1000 + idle[$0]) 0 0 \(softirq[$0]) 0 0 0\n"
        }
        self["/proc/stat"] = "cpu 1 1 1 1 1 1 1 1 0 0\n" + lines.joined() + "intr 1 2 3\n"
    }

    // MARK: Disks

    /// A disk, with a queue as most have it; `files` are others in its directory.
    func addDisk(
        _ name: String, at path: String, madeOf slaves: [String] = [],
        files: [String: String] = [:]
    ) {
        let directory = "/sys/class/block/\(name)/"
        host.setLink("/sys/class/block/\(name)", to: "../../devices/\(path)/\(name)")
        host.setDirectory(directory + "slaves", slaves)
        let queue = [
            "add_random": "1", "write_cache": "write back", "wbt_lat_usec": "2000",
            "rq_affinity": "1", "nomerges": "2", "iostats": "0", "max_sectors_kb": "1280",
            "max_segments": "128", "logical_block_size": "512", "physical_block_size": "4096",
            "optimal_io_size": "65536",
        ]
        for (file, text) in queue { self["\(directory)queue/\(file)"] = text + "\n" }
        self[directory + "alignment_offset"] = "0\n"
        for (file, text) in files { self[directory + file] = text + "\n" }
    }

    /// A PCI function of these interrupts.
    func addFunction(_ address: String, interrupts: [Int], node: Int = 0) {
        let directory = "/sys/bus/pci/devices/\(address)"
        host.setDirectory(directory + "/msi_irqs", interrupts.map(String.init))
        self[directory + "/numa_node"] = "\(node)\n"
    }

    /// A line of /proc/diskstats with so many flushes.
    func setFlushes(_ disks: [(String, count: Int, milliseconds: Int)]) {
        self["/proc/diskstats"] = disks.map {
            "8 0 \($0.0) 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 \($0.count) \($0.milliseconds)\n"
        }.joined()
    }
}
