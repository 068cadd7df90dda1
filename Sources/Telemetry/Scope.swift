/// What a fact or a finding is about.
public enum Scope: Sendable, Hashable {
    case host
    /// A block device of the host, by the kernel's name for it.
    case disk(String)
    case vm
    /// By `LUN.id`.
    case lun(String)
    /// By its `-object iothread,id=`.
    case ioThread(String)
    case guest
    /// A disk by the guest kernel's name for it: `vda`.
    case guestDisk(String)
    /// vblktop itself.
    case tool

    /// The kinds of scope, as scopes begin in words.
    public enum Kind: String, Sendable, CaseIterable {
        case host, disk, vm, lun, ioThread = "iothread", guest, guestDisk = "guest-disk"
        case tool = "vblktop"
    }

    public var kind: Kind {
        switch self {
        case .host: .host
        case .disk: .disk
        case .vm: .vm
        case .lun: .lun
        case .ioThread: .ioThread
        case .guest: .guest
        case .guestDisk: .guestDisk
        case .tool: .tool
        }
    }

    /// Which of its kind, `nil` where there is but one.
    public var name: String? {
        switch self {
        case .disk(let name), .lun(let name), .ioThread(let name), .guestDisk(let name): name
        case .host, .vm, .guest, .tool: nil
        }
    }

    /// A scope of `kind`; `nil` without the name that it needs, or with one that it does not.
    public init?(_ kind: Kind, _ name: String?) {
        switch (kind, name) {
        case (.host, nil): self = .host
        case (.vm, nil): self = .vm
        case (.guest, nil): self = .guest
        case (.tool, nil): self = .tool
        case (.disk, let name?): self = .disk(name)
        case (.lun, let name?): self = .lun(name)
        case (.ioThread, let name?): self = .ioThread(name)
        case (.guestDisk, let name?): self = .guestDisk(name)
        default: return nil
        }
    }
}

/// A scope of one VM of several.
public struct Subject: Sendable, Hashable {
    /// The VM it belongs to; `nil` where only one is watched, and for the host and vblktop.
    public var vm: String?
    public var scope: Scope

    /// `scope` in `vm`.
    public init(vm: String? = nil, _ scope: Scope) {
        self.vm = vm
        self.scope = scope
    }

    /// As findings and marks name it: `host`, `disk:sda`, `vm`, `lun:vd0`; where several VMs are
    /// watched `vm:guest1`, `lun:guest1/vd0`.
    public var word: String {
        let names = [vm, scope.name].compactMap { $0 }
        return names.isEmpty
            ? scope.kind.rawValue : scope.kind.rawValue + ":" + names.joined(separator: "/")
    }
}
