import Foundation
import GuestHarness

/// One change to a VM that is set up well, and all that the doctor must say of it.
struct Misconfiguration: Sendable {
    /// What the change is made to.
    enum Base: Sendable {
        /// An allocated file, and nothing runs.
        case file
        /// A loop device that is taken for flash, and nothing runs.
        case loop
        /// A file, and firmware without KVM that looks for something to boot.
        case firmware

        func vm(in folder: String) throws -> ExaminedVM {
            var vm = try ExaminedVM(in: folder)
            switch self {
            case .file: break
            case .loop: try vm.useLoop()
            case .firmware: (vm.isKVM, vm.runs) = (false, true)
            }
            return vm
        }
    }

    var what: String
    var base = Base.file
    /// Whether it is about KVM.
    private let needsKVM: Bool
    /// Why it cannot be made here, `nil` if it can.
    private let whyNot: String?
    /// Seconds it must last.
    var watch = 11
    /// What is said besides what is said of the base: "severity rule scope".
    var flags: [String]
    /// What must follow from the same change, each with the reason.
    var follows: [String: String] = [:]
    private let change: @Sendable (inout ExaminedVM) throws -> Void
    private var act: @Sendable (ExaminedVM, TestQMP) throws -> AnyObject? = { _, _ in nil }

    init(
        _ what: String, on base: Base = .file, needsKVM: Bool = false, unless whyNot: String? = nil,
        watch: Int = 11, _ flags: String..., follows: [String: String] = [:],
        change: @escaping @Sendable (inout ExaminedVM) throws -> Void = { _ in }
    ) {
        self.what = what
        self.base = base
        self.needsKVM = needsKVM
        self.whyNot = whyNot
        self.watch = watch
        self.flags = flags
        self.follows = follows
        self.change = change
    }

    /// The same, with something done to the running QEMU. What `act` returns is kept as long as
    /// QEMU.
    func acting(
        _ act: @escaping @Sendable (ExaminedVM, TestQMP) throws -> AnyObject?
    ) -> Misconfiguration {
        var fault = self
        fault.act = act
        return fault
    }

    /// The VM with this fault.
    func vm(in folder: String) throws -> ExaminedVM {
        var vm = try base.vm(in: folder)
        try change(&vm)
        return vm
    }

    func act(on vm: ExaminedVM, _ qmp: TestQMP) throws -> AnyObject? { try act(vm, qmp) }

    var expected: Set<String> { Set(flags).union(follows.keys) }

    /// Why it is left out here, `nil` if it is not.
    var whyLeftOut: String? { whyNot ?? (needsKVM ? Host.whyNoKVM : nil) }
}

/// A VM that runs and a doctor who looks at it.
final class Consultation {
    /// Rules that go by how busy this machine is just now: other tests may keep it so.
    static let momentary = [
        "thread-runqueue-wait", "cgroup-limited", "pinning-overlap", "tool-self-load",
    ]

    private let folder: String
    private let vm: ExaminedVM
    private let qemu: RunningProgram
    private let control: TestQMP
    private var kept: AnyObject?
    private let doctor: RunningProgram

    init(_ fault: Misconfiguration) throws {
        folder = "/var/tmp/vblktop-examined-\(UUID().uuidString.prefix(13))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        do {
            vm = try fault.vm(in: folder)
            qemu = try vm.start()
            control = try TestQMP(path: vm.control)
            kept = try fault.act(on: vm, control)
            doctor = try RunningProgram(
                [BuiltProgram.path, "doctor", "--qmp", vm.monitor, "--json"]
                    + ["--watch", String(fault.watch), "--config", "/dev/null"]
                    + Self.momentary.flatMap { ["--skip", $0] })
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw HarnessError("\(fault.what): \(error)")
        }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// What is said in the end, of the host and its disks apart, which all VMs share:
    /// "severity rule scope", and the evidence.
    func findings() throws -> [String: String] {
        let end = try doctor.ending()
        guard end.status == 0 || end.status == 2 else {
            throw HarnessError("the doctor ended with \(end.status): \(end.errors)")
        }
        let report = try JSONValue.parse(end.lines.joined(separator: "\n"))
        var findings: [String: String] = [:]
        for finding in report["findings"]?.list ?? [] {
            let words = ["severity", "rule", "scope"].compactMap { finding[$0]?.text }
            guard words.count == 3, let evidence = finding["evidence"]?.text else {
                throw HarnessError("not understood: \(finding)")
            }
            let isShared = words[2] == "host" || words[2].hasPrefix("disk:")
            if isShared, words[2] != vm.loop.map({ "disk:" + $0.name }) { continue }
            // The number of a loop device is chance.
            let scope = words[2].hasPrefix("disk:loop") ? "disk:loop" : words[2]
            findings["\(words[0]) \(words[1]) \(scope)"] = evidence
        }
        return findings
    }
}
