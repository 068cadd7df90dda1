/// An answer of a guest's agent, typed by what was asked. Texts are fit for one line of a screen.
///
/// Members that this agent does not send, or sends as something else, are `nil`.
public enum AgentReply: Sendable, Equatable {
    case info(AgentInfo)
    case osInfo(AgentOSInfo)
    case fileSystems([AgentFileSystem])
    case diskStats([AgentDiskStats])
    /// `thawed` or `frozen`.
    case freezeStatus(String)
    case file(AgentText)

    /// The answer to `query`, `nil` if `value` has another shape. Files are put together by the
    /// session.
    init?(_ value: JSONValue, to query: AgentQuery) {
        switch query {
        case .info where value.isObject: self = .info(AgentInfo(value))
        case .osInfo where value.isObject: self = .osInfo(AgentOSInfo(value))
        case .fileSystems where value.isArray:
            self = .fileSystems(
                value.items.lazy.filter(\.isObject).map { AgentFileSystem($0) })
        case .diskStats where value.isArray:
            self = .diskStats(
                value.items.lazy.filter(\.isObject).compactMap { AgentDiskStats($0) })
        case .freezeStatus:
            guard let status = value.text else { return nil }
            self = .freezeStatus(status)
        default: return nil
        }
    }
}

/// What an agent can do (`guest-info`).
public struct AgentInfo: Sendable, Equatable {
    /// Its version: that of the QEMU it was built with.
    public var version: String?
    /// Its commands, and whether its settings allow each. While the guest's file systems are frozen
    /// nearly none is allowed.
    public var commands: [String: Bool] = [:]

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        version = value["version"]?.text
        guard let supported = value["supported_commands"] else { return }
        for command in supported.items {
            guard let name = command["name"]?.text else { continue }
            commands[name] = command["enabled"]?.bool ?? true
        }
    }
}

/// What runs in the guest (`guest-get-osinfo`).
public struct AgentOSInfo: Sendable, Equatable {
    /// As os-release has it: `debian`, `rhel`, `mswindows`.
    public var id: String?
    /// `6.1.0-18-amd64`
    public var kernelRelease: String?
    /// `x86_64`
    public var machine: String?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        id = value["id"]?.text
        kernelRelease = value["kernel-release"]?.text
        machine = value["machine"]?.text
    }
}

/// A file system on a disk of the guest (`guest-get-fsinfo`).
public struct AgentFileSystem: Sendable, Equatable {
    public var mountpoint: String?
    public var type: String?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        mountpoint = value["mountpoint"]?.text
        type = value["type"]?.text
    }
}

/// What a disk or partition of the guest did since it booted (`guest-get-diskstats`).
public struct AgentDiskStats: Sendable, Equatable {
    /// The guest kernel's name for it.
    public var name: String
    /// Completed reads, writes, discards and flushes, as far as its kernel counts them.
    public var requests: UInt64

    /// `name` has completed `requests`.
    public init(name: String, requests: UInt64) {
        self.name = name
        self.requests = requests
    }

    /// `nil` without a name, reads or writes.
    init?(_ value: JSONValue) {
        guard let name = value["name"]?.text, let stats = value["stats"],
            let reads = stats["read-ios"]?.uint64, let writes = stats["write-ios"]?.uint64
        else { return nil }
        let discards = stats["discard-ios"]?.uint64 ?? 0
        let flushes = stats["flush-ios"]?.uint64 ?? 0
        self.init(name: name, requests: reads &+ writes &+ discards &+ flushes)
    }
}

/// The bytes of a file, as the guest has them.
public struct AgentText: Sendable, Equatable {
    /// Not fit for a screen.
    public var bytes: [UInt8]
    /// Whether they reach to the end of the file.
    public var isWhole: Bool

    /// `bytes` of a file.
    public init(bytes: [UInt8], isWhole: Bool) {
        self.bytes = bytes
        self.isWhole = isWhole
    }
}
