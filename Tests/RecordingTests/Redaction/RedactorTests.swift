import Recording
import Telemetry
import Testing

@Suite struct RedactorTests {
    private static func sample() -> Snapshot {
        var sample = Snapshot(
            source: Source(kind: .qmp, name: "payroll"), sequence: 1, monotonic: 1, wallClock: 2)
        sample.vms = [
            VirtualMachine(
                name: "payroll", pid: 7, version: "7.2.0", accelerator: .kvm, status: "running",
                vcpus: 2, memoryBytes: nil, qmp: "/run/acme/payroll.sock")
        ]
        var lun = LUN(id: "salaries", device: "virtio-blk-pci")
        lun.vm = "payroll"
        lun.node = "salaries-fmt"
        lun.file = "/images/acme/salaries.qcow2"
        lun.ioThread = "acme0,acme1"
        lun.hostDisk = "nvme0n1"
        lun.throttle = "iops-total=100 group=acme"
        lun.graph = [BlockNode(name: "salaries-fmt", driver: "qcow2", file: "/images/acme/x")]
        lun.rates.iops = 12
        sample.luns = [lun]
        sample.threads = [
            ThreadActivity(tid: 9, role: .iothread, name: "IO acme0", luns: ["salaries"])
        ]
        var disk = HostDisk(name: "nvme0n1")
        disk.luns = ["payroll/salaries"]
        disk.scheduler = "none"
        sample.host.disks = [disk]
        sample.notices = [
            Notice(
                monotonic: 1, vm: "payroll", severity: .info,
                text: "salaries: moved to /mnt/acme/b.img (salaries-fmt), 3 reads/s")
        ]
        let event = IOEvent(
            type: 0, status: 0, lun: 0, head: 0, sector: 0, byteCount: 0, queued: 0, kicked: 0,
            popped: 0, submitted: 0, completed: 0, published: 0, notified: 0, reaped: 0)
        sample.slowest = [SlowRequest(lun: "payroll/salaries", request: event)]
        sample.inFlight = [
            InFlightRequest(
                lun: "payroll/salaries", queue: 0, head: 0, since: 0, age: 0, place: .used)
        ]
        sample.unavailable = [
            Unavailable(metric: "iops", reason: "cannot open /run/acme/payroll.sock: no")
        ]
        return sample
    }

    @Test func noNameAndNoPathIsLeft() {
        var redactor = Redactor()
        let text = "\(redactor.redact(Self.sample()))"
        for secret in ["payroll", "salaries", "acme", "images", "/run", "/mnt"] {
            #expect(!text.contains(secret), "\(secret) is still there")
        }
    }

    @Test func whatItIsAndWhatItMeasuredIsLeft() {
        var redactor = Redactor()
        let sample = redactor.redact(Self.sample())
        #expect(sample.luns[0].rates.iops == 12)
        #expect(sample.luns[0].graph[0].driver == "qcow2")
        #expect(sample.luns[0].hostDisk == "nvme0n1" && sample.host.disks[0].name == "nvme0n1")
        #expect(sample.luns[0].throttle == "iops-total=100 group=group-1")
        #expect(sample.threads[0].name == "IO iothread-1")
        #expect(sample.slowest[0].lun == sample.luns[0].qualifiedID)
        #expect(sample.inFlight[0].lun == sample.luns[0].qualifiedID)
        #expect(sample.notices[0].text == "lun-1: moved to /… (node-1), 3 reads/s")
    }

    @Test func aNameHasOneWordEverywhereAndAlways() {
        var redactor = Redactor()
        let first = redactor.redact(Self.sample())
        let second = redactor.redact(Self.sample())
        #expect(first == second)
        #expect(first.host.disks[0].luns == ["\(first.luns[0].vm ?? "")/\(first.luns[0].id)"])
        #expect(first.threads[0].luns == [first.luns[0].id])
        let name = redactor.redact(lun: "payroll/salaries")
        #expect(name == "vm-1/lun-1")
        let mark = redactor.redact(
            Mark(monotonic: 1, kind: .note, scope: "lun:salaries", text: "see /mnt/x/y"))
        #expect(mark.scope == "lun:lun-1")
        #expect(mark.text == "see /…")
    }

    @Test func aNameIsFoundWithinALongerOne() {
        var redactor = Redactor()
        var sample = Self.sample()
        sample.notices[0].text = "salaries-old of payroll_2: in /sys/block/nvme0n1, qemu-payroll"
        #expect(
            redactor.redact(sample).notices[0].text
                == "lun-1-old of vm-1_2: in /sys/block/nvme0n1, qemu-vm-1")
    }

    @Test func aNumberIsNeverTakenForAName() {
        var redactor = Redactor()
        var sample = Self.sample()
        sample.vms[0].name = "100"
        sample.luns[0].vm = "100"
        sample.notices[0].vm = "100"
        sample.notices[0].text = "100 % full, 100 requests"
        let redacted = redactor.redact(sample)
        #expect(redacted.notices[0].text == "100 % full, 100 requests")
        #expect(redacted.luns[0].vm == "vm-1" && redacted.notices[0].vm == "vm-1")
    }

    @Test(arguments: [
        (
            "/sys/fs/cgroup/machine.slice/machine-qemu\\x2d7\\x2dpayroll.scope/libvirt/cpu.max",
            "/sys/fs/cgroup/…/cpu.max"
        ),
        ("/sys/fs/cgroup/cpu,cpuacct/tenant7/cpu.stat: gone", "/sys/fs/cgroup/…/cpu.stat: gone"),
        ("/sys/fs/cgroup/machine.slice/tenant7", "/sys/fs/cgroup/…"),
        ("machine-qemu\\x2d7\\x2dpayroll.scope", "machine-qemu\\x2d7\\x2dvm-1.scope"),
        ("/proc/7/mountinfo of payroll", "/proc/7/mountinfo of vm-1"),
        ("/proc/7/root/srv/tenant7: no", "/proc/7/root/…: no"),
        ("nbd://user:word@tenant7:10809/disk is slow", "nbd:/… is slow"),
        ("see /srv/tenant7/log.", "see /…."), ("/dev/sda2 or /dev/tenant7/disk", "/dev/sda2 or /…"),
        ("12 reads/s, and/or", "12 reads/s, and/or"), ("磁 payroll磁 payroll", "磁 payroll磁 vm-1"),
    ])
    func whatLooksLikeAPathIsLeftOut(text: String, shown: String) {
        var redactor = Redactor()
        var sample = Self.sample()
        sample.notices[0].text = text
        #expect(redactor.redact(sample).notices[0].text == shown)
    }

    @Test(arguments: [
        ("sda", "sda"), ("vdb", "vdb"), ("nvme10n1", "nvme10n1"), ("nvme0c1n1", "nvme0c1n1"),
        ("dm-12", "dm-12"), ("md127", "md127"), ("loop3", "loop3"), ("sdacme", "disk-1"),
        ("md_home", "md-array-1"), ("tenant", "disk-1"), ("dm-acme", "disk-1"), ("sd", "disk-1"),
    ])
    func theKernelsNamesOfDisksStay(name: String, shown: String) {
        var redactor = Redactor()
        var sample = Self.sample()
        sample.luns[0].hostDisk = name
        sample.host.disks[0].name = name
        let redacted = redactor.redact(sample)
        #expect(redacted.luns[0].hostDisk == shown && redacted.host.disks[0].name == shown)
    }

    @Test func whatAFindingIsAboutIsFoundAmongTheRows() {
        var redactor = Redactor()
        var sample = Self.sample()
        sample.luns[0].id = "/machine/peripheral-anon/device[0]"
        sample.findings = [
            "lun:payroll//machine/peripheral-anon/device[0]", "iothread:payroll/acme1",
            "vm:payroll", "disk:dm-3", "guest-disk:payroll/vda", "host",
        ].map {
            Finding(rule: "r", severity: .info, scope: $0, title: "", evidence: "", fix: "")
        }
        #expect(
            redactor.redact(sample).findings.map(\.scope)
                == [
                    "lun:vm-1/lun-1", "iothread:vm-1/iothread-2", "vm:vm-1", "disk:dm-3",
                    "guest-disk:vm-1/vda", "host",
                ])
    }

    @Test func threadsThatAUserNamedAreNotTold() {
        var redactor = Redactor()
        var sample = Self.sample()
        sample.threads = [
            ThreadActivity(tid: 1, role: .main, name: "tenant7"),
            ThreadActivity(tid: 2, role: .vcpu, name: "CPU 0/KVM"),
            ThreadActivity(tid: 3, role: .iothread, name: "IO acme1"),
            ThreadActivity(tid: 4, role: .iothread, name: "mon_iothread"),
            ThreadActivity(tid: 5, role: .worker, name: "worker"),
        ]
        #expect(
            redactor.redact(sample).threads.map(\.name)
                == ["thread-1", "CPU 0/KVM", "IO iothread-2", "mon_iothread", "worker"])
    }

    @Test func aVMThatCallsItselfATestStillDoes() {
        var redactor = Redactor()
        var sample = Self.sample()
        sample.vms[0].name = "acme-Test-3"
        #expect(redactor.redact(sample).vms[0].name == "test-vm-1")
        sample.vms[0].name = "latest-db"
        #expect(redactor.redact(sample).vms[0].name == "vm-2", "payroll is the first")
    }
}
