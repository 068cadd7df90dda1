import Host
import SystemPackage
import Telemetry
import Testing

private let second: Nanoseconds = 1_000_000_000

/// What vblktop finds inside a guest. The guest's agent leads to the same facts, see `AttachTests`.
struct InsideFactsTests {
    private let guest = FakeHost()
    private let facts: InsideFacts

    init() {
        facts = InsideFacts(files: guest.files)
        let texts = [
            "/etc/os-release": "NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n",
            "/proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
            "/proc/sys/kernel/arch": "x86_64\n",
            "/sys/devices/system/clocksource/clocksource0/current_clocksource": "kvm-clock\n",
            "/sys/devices/system/clocksource/clocksource0/available_clocksource":
                "kvm-clock tsc acpi_pm \n",
            "/proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro quiet\n",
            "/proc/sys/kernel/task_delayacct": "0\n",
            "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu x2apic\n\n",
            "/sys/devices/system/cpu/cpuidle/current_governor_ro": "haltpoll\n",
            "/proc/mounts": """
            proc /proc proc rw 0 0
            /dev/vda1 / ext4 rw,relatime,discard 0 0
            /dev/vda1 /var/bind ext4 rw,relatime,discard 0 0

            """,
            "/sys/block/vda/queue/scheduler": "[mq-deadline] none\n",
            "/sys/block/vda/queue/add_random": "0\n",
            "/sys/block/vda/queue/rotational": "1\n",
            "/sys/block/vda/mq/0/nr_tags": "256\n",
            "/sys/class/block/vda1/start": "2048\n",
            "/sys/class/block/vda15/start": "63\n",
        ]
        for (path, text) in texts { guest.proc[path] = text }
        count(requests: 100, interrupts: (1000, 500))
    }

    private func count(requests: Int, interrupts: (Int, Int)) {
        let rest = "0 0 0 0 0 0 0 0 0 0"
        guest.proc["/proc/diskstats"] = """
            7 0 loop0 9 \(rest)
            254 0 vda \(requests) \(rest)
            254 1 vda1 5 \(rest)
            254 15 vda15 5 \(rest)

            """
        guest.proc["/proc/interrupts"] = """
                       CPU0       CPU1
             24:         99          1  PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0
             25:     \(interrupts.0)     7  PCI-MSIX-0000:00:04.0   1-edge   virtio3-req.0
             26:          1     \(interrupts.1)  PCI-MSIX-0000:00:04.0   2-edge   virtio3-req.1
            LOC:          5          6   Local timer interrupts
            ERR:          0

            """
    }

    private func sheet(_ facts: inout InsideFacts, at now: Nanoseconds = 0) -> FactSheet {
        FactSheet(facts.read(clock: { now }))
    }

    private func value(_ name: FactName, _ sheet: FactSheet) -> FactValue? {
        sheet[name, Subject(.guest)]?.value
    }

    private func value(_ name: FactName, of disk: String, _ sheet: FactSheet) -> FactValue? {
        sheet[name, Subject(.guestDisk(disk))]?.value
    }

    @Test func whatTheKernelSays() {
        var facts = facts
        let sheet = sheet(&facts)
        #expect(value(.guestSystem, sheet) == "debian")
        #expect(value(.guestKernel, sheet) == "6.1.0-18-amd64")
        #expect(value(.guestMachine, sheet) == "x86_64")
        #expect(value(.guestClocksource, sheet) == "kvm-clock")
        #expect(value(.guestClocksources, sheet) == ["kvm-clock", "tsc", "acpi_pm"])
        #expect(
            value(.guestBootLine, sheet) == "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro quiet")
        #expect(value(.guestDelayAccounting, sheet) == false)
        #expect(value(.guestX2APIC, sheet) == true)
        #expect(value(.guestIdleGovernor, sheet) == "haltpoll")
        #expect(value(.guestMounts, sheet) == ["ext4 / rw,relatime,discard"])
        #expect(value(.guestUseBio, sheet) == false)
        #expect(sheet[.guestClocksource, Subject(.guest)]?.source.hasPrefix("/sys/") == true)
        let freeze = sheet[.fileSystemFreeze, Subject(.guest)]
        #expect(freeze?.value == nil && freeze?.reason?.contains("--qga") == true)
    }

    @Test func whatItSaysOfADisk() {
        var facts = facts
        let sheet = sheet(&facts)
        #expect(value(.guestScheduler, of: "vda", sheet) == "mq-deadline")
        #expect(value(.guestAddRandom, of: "vda", sheet) == false)
        #expect(value(.guestRotational, of: "vda", sheet) == true)
        #expect(value(.guestQueues, of: "vda", sheet) == 1)
        #expect(value(.guestPartitions, of: "vda", sheet) == ["vda1 2048", "vda15 63"])
        #expect(Set(sheet.subjects) == [Subject(.guest), Subject(.guestDisk("vda"))])
    }

    @Test func ratesNeedTwoReadings() {
        var facts = facts
        let first = sheet(&facts, at: second)
        for name in [FactName.guestInterrupts, .guestInterruptShare] {
            #expect(first[name, Subject(.guest)]?.reason?.contains("read once") == true)
        }
        #expect(first[.guestIOPS, Subject(.guestDisk("vda"))]?.reason == "read once only")
        count(requests: 300, interrupts: (1000 + 1500, 500 + 500))
        let later = sheet(&facts, at: 3 * second)
        #expect(value(.guestInterrupts, later) == 1000)
        #expect(value(.guestInterruptShare, later) == 75)
        #expect(value(.guestIOPS, of: "vda", later) == 100)
        // Nothing happened, and a share of nothing is none.
        let idle = sheet(&facts, at: 4 * second)
        #expect(value(.guestInterrupts, idle) == 0 && value(.guestIOPS, of: "vda", idle) == 0)
        #expect(idle[.guestInterruptShare, Subject(.guest)]?.reason == "there were none")
        // Counters that went down are another kernel's.
        count(requests: 5, interrupts: (1, 1))
        let rebooted = sheet(&facts, at: 5 * second)
        #expect(value(.guestInterrupts, rebooted) == nil)
        #expect(value(.guestIOPS, of: "vda", rebooted) == nil)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 64, 255])
    func queuesAreCounted(count: Int) {
        for queue in 0..<count { guest.proc["/sys/block/vda/mq/\(queue)/nr_tags"] = "9\n" }
        var facts = facts
        #expect(value(.guestQueues, of: "vda", sheet(&facts)) == .count(count))
        let questions = (0...2 * count).reduce(0) {
            $0 + guest.proc.openCount("/sys/block/vda/mq/\($1)/nr_tags")
        }
        #expect(questions <= 18, "each is a conversation with the agent")
        guest.proc["/sys/block/vda/mq/0/nr_tags"] = nil
        let none = sheet(&facts)[.guestQueues, Subject(.guestDisk("vda"))]
        #expect(none?.value == nil && none?.reason?.contains("No such file") == true)
    }

    @Test func whatTheBootLineTurnsOff() {
        guest.proc["/proc/cmdline"] = "nox2apic virtio_blk.use_bio=1\n"
        var facts = facts
        let sheet = sheet(&facts)
        #expect(value(.guestX2APIC, sheet) == false)
        #expect(value(.guestUseBio, sheet) == true)
        #expect(sheet[.guestUseBio, Subject(.guest)]?.source == "/proc/cmdline")
    }

    @Test func useBioOfTheKernelThatHasIt() {
        guest.proc["/sys/module/virtio_blk/parameters/use_bio"] = "Y\n"
        var facts = facts
        #expect(value(.guestUseBio, sheet(&facts)) == true)
        guest.proc["/sys/module/virtio_blk/parameters/use_bio"] = "N\n"
        let sheet = sheet(&facts)
        #expect(value(.guestUseBio, sheet) == false)
        #expect(sheet[.guestUseBio, Subject(.guest)]?.source.hasSuffix("use_bio") == true)
    }

    @Test func whatCannotBeReadHasItsReason() {
        guest.proc["/proc/sys/kernel/task_delayacct"] = nil
        guest.proc["/proc/cpuinfo"] = "processor : 0\nFeatures : fp\n"
        guest.proc["/proc/mounts"] = "cut short"
        guest.proc["/sys/block/vda/queue/scheduler"] = "\u{1B}[2J\n"
        guest.proc["/proc/sys/kernel/arch"] = nil
        guest.proc["/proc/interrupts"] = "CPU0\n 1:  5  IO-APIC 11-fasteoi virtio1\n"
        guest.proc["/sys/class/block/vda15/start"] = nil
        guest.proc.refuse("/proc/cmdline", .permissionDenied)
        var facts = facts
        let sheet = sheet(&facts)
        let names: [FactName] = [
            .guestDelayAccounting, .guestX2APIC, .guestMounts, .guestInterrupts, .guestBootLine,
        ]
        for name in names {
            let fact = sheet[name, Subject(.guest)]
            #expect(fact?.value == nil && fact?.reason?.isEmpty == false, "\(name)")
        }
        for name in [FactName.guestScheduler, .guestPartitions] {
            let fact = sheet[name, Subject(.guestDisk("vda"))]
            #expect(fact?.value == nil && fact?.reason?.isEmpty == false, "\(name)")
        }
        // Whether use_bio is set cannot be known without the boot line.
        #expect(value(.guestUseBio, sheet) == nil)
        for fact in sheet.facts {
            let text = "\(fact.source) \(fact.reason ?? "")"
            #expect(text == text.harmless(), "\(fact)")
        }
    }

    @Test func disksThatComeAndGo() {
        var facts = facts
        _ = sheet(&facts)
        guest.proc["/proc/diskstats"] = "8 0 sda 1 0 0 0 0 0 0 0 0 0 0\n"
        guest.proc["/sys/block/sda/queue/scheduler"] = "none\n"
        let sheet = sheet(&facts)
        #expect(value(.guestScheduler, of: "sda", sheet) == "none")
        #expect(Set(sheet.subjects) == [Subject(.guest), Subject(.guestDisk("sda"))])
        guest.proc["/proc/diskstats"] = nil
        let lost = self.sheet(&facts)[.guestIOPS, Subject(.guestDisk("sda"))]
        #expect(lost?.value == nil && lost?.reason?.contains("No such file") == true)
    }

    @Test func moreDisksThanAnyoneLooksAt() {
        let letters = (0..<26).map { String(UnicodeScalar(UInt8(97 + $0))) }
        let names = letters.flatMap { first in letters.map { "vd" + first + $0 } }
        guest.proc["/proc/diskstats"] =
            names.map { "8 0 \($0) 1 0 0 0 0 0 0 0 0 0 0\n" }.joined()
        var facts = facts
        let disks = sheet(&facts).subjects.filter { $0.scope.kind == .guestDisk }
        #expect(disks.count == GuestAccount.diskLimit)
    }
}
