import Foundation
import Telemetry

@testable import Attach

/// What the samples under `Configurations` and written-out ones come to.
extension ConfiguredVM {
    /// The sample of this name, a script or a domain.
    static func sample(_ name: String) throws -> Snapshot {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let data = try Data(contentsOf: folder.appending(path: "Configurations/" + name))
        let vm =
            name.hasSuffix(".xml")
            ? try ConfiguredVM(domain: Array(data))
            : try ConfiguredVM(commandLine: String(decoding: data, as: UTF8.self))
        return vm.sample(wallClock: 7)
    }

    /// `qemu-system-x86_64` with these options.
    static func started(_ options: String) throws -> Snapshot {
        try ConfiguredVM(commandLine: "qemu-system-x86_64 " + options).sample(wallClock: 7)
    }

    /// A domain of `type` with these elements.
    static func domain(_ elements: String, type: String = "kvm") throws -> Snapshot {
        let document = "<domain type='\(type)'><name>d</name>\(elements)</domain>"
        return try ConfiguredVM(domain: Array(document.utf8)).sample(wallClock: 7)
    }

    /// A domain with one disk of these elements, on `machine`.
    static func disk(_ elements: String, machine: String = "pc-q35-9.2") throws -> Snapshot {
        try domain(
            "<os><type arch='x86_64' machine='\(machine)'/></os><devices><disk type='file'>"
                + elements + "</disk></devices>")
    }
}

extension Snapshot {
    /// What is known of `scope` by this name.
    func fact(_ name: FactName, _ scope: Scope = .vm) -> Fact? { facts[name, Subject(scope)] }

    func value(_ name: FactName, _ scope: Scope = .vm) -> FactValue? { fact(name, scope)?.value }
}
