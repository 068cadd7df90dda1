/// What QEMU makes of the properties of devices that nobody sets. It goes by the machine type: a
/// versioned one keeps the defaults of its time, and one without a version is today's.
struct MachineDefaults: Sendable, Equatable {
    /// Whose defaults they are.
    enum Basis: Sendable, Equatable {
        case current
        case release(MachineRelease)
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
        if let release = MachineRelease(machine: type) {
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
    func value<Value>(_ steps: [(since: MachineRelease, value: Value)]) -> Value? {
        if steps.count == 1 { return steps[0].value }
        let release: MachineRelease
        switch basis {
        case .current: return steps.last?.value
        case .release(let own): release = own
        case .oldDataPlane: release = MachineRelease(2, 2)
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

/// The first two numbers of a machine type's version.
struct MachineRelease: Sendable, Comparable {
    let major: Int
    let minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// The version at the end of `pc-q35-7.2`; `nil` for types without one, and for those that
    /// distributions named by themselves.
    init?(machine type: String) {
        guard let last = type.split(separator: "-").last, last.utf8.count <= 16,
            type.contains("-"), last.utf8.allSatisfy({ $0 == 46 || (48...57).contains($0) })
        else { return nil }
        let numbers = last.split(separator: ".").compactMap { Int($0) }
        guard numbers.count >= 2 else { return nil }
        self.init(numbers[0], numbers[1])
    }

    static func < (left: MachineRelease, right: MachineRelease) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    static let oldest = MachineRelease(0, 0)
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
