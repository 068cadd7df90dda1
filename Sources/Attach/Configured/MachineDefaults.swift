import Telemetry

/// What QEMU makes of the properties of devices that nobody sets. It goes by the machine type: a
/// versioned one keeps the defaults of its time, and one without a version is today's.
struct MachineDefaults: Sendable, Equatable {
    /// Whose defaults they are.
    enum Basis: Sendable, Equatable {
        case current
        case release(Release)
        /// QEMU before 2.3, of whatever version: none after it has `x-data-plane`.
        case oldDataPlane
        /// Not to be told, and why.
        case unknown(String)
    }
    /// As it is given: `pc-q35-7.2`; `nil` where nothing is.
    let type: String?
    let basis: Basis
    let architecture: Architecture

    /// The machine of `line`; `usesDataPlane`: one of its disks asks for `x-data-plane`.
    init(_ line: QEMUCommandLine, usesDataPlane: Bool) {
        let given = line.machine["type"]
        architecture = Architecture(program: line.program, machine: given)
        // Only this program's default machine is the same everywhere.
        let own = line.program.hasPrefix("qemu-system-") && architecture == .x86 ? "pc" : nil
        type = given.map(clean) ?? own
        guard let type else {
            basis = .unknown("no -machine: which one \(clean(line.program)) starts is not known")
            return
        }
        if let release = Release(machine: type) {
            basis = .release(release)
        } else if usesDataPlane {
            basis = .oldDataPlane
        } else if Self.unversioned.contains(type) {
            basis = .current
        } else {
            basis = .unknown("the defaults of machine type \(type) are not known")
        }
    }

    private static let unversioned: Set = [
        "pc", "q35", "microvm", "virt", "pseries", "s390-ccw-virtio", "isapc",
    ]

    /// As the source of a fact.
    var source: String {
        if case .oldDataPlane = basis { return "default of QEMU before 2.3, as x-data-plane needs" }
        return "default of " + (type ?? "QEMU")
    }

    /// What counts of `steps`, each with the release since which it does, the oldest first; `nil`
    /// where that is not known. What has but one step is the same with all machine types.
    func value<Value>(_ steps: [(since: Release, value: Value)]) -> Value? {
        if steps.count == 1 { return steps[0].value }
        let release: Release
        switch basis {
        case .current: return steps.last?.value
        case .release(let own): release = own
        case .oldDataPlane: release = Release(2, 2)
        case .unknown: return nil
        }
        return steps.last { $0.since <= release }?.value
    }

    /// Why a default is not known.
    var reason: String {
        if case .unknown(let reason) = basis { return reason }
        return "this machine type's default is not known"
    }
}

/// What a guest's CPUs are.
enum Architecture: Sendable, Equatable {
    case x86, s390, other

    /// By the program's name, `qemu-system-ARCHITECTURE`; that of `qemu-kvm` says nothing, and the
    /// machine's does.
    init(program: String, machine: String?) {
        let family = machine ?? ""
        if program.hasPrefix("qemu-system-x86_64") || program.hasPrefix("qemu-system-i386") {
            self = .x86
        } else if program.hasPrefix("qemu-system-s390x") || family.hasPrefix("s390-") {
            self = .s390
        } else if program.hasPrefix("qemu-system-") {
            self = .other
        } else {
            let families = ["pc", "q35", "microvm", "isapc", "rhel6."]
            self = families.contains(where: family.hasPrefix) ? .x86 : .other
        }
    }
}
