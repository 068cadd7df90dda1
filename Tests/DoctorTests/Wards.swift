import Telemetry

@testable import Doctor

/// Changes to the ward that rules about disks and several VMs need.
extension Snapshot {
    /// Moves the LUN to a disk of another name, nothing known of it.
    mutating func place(on disk: String, isRotational: Bool = false) {
        luns[0].hostDisk = disk
        var new = HostDisk(name: disk)
        new.luns = [luns[0].qualifiedID]
        new.isRotational = isRotational
        new.scheduler = "none"
        host.disks = [new]
    }

    /// Makes the LUN's disk of others, each a disk of the host.
    mutating func stack(on leaves: [String], isRotational: Bool = false) {
        let top = host.disks[0].name
        know(.disk(top), [.leaves: .texts(leaves), .slaves: .texts(leaves)])
        for name in leaves {
            var leaf = HostDisk(name: name)
            leaf.isRotational = isRotational
            leaf.scheduler = "none"
            host.disks.append(leaf)
        }
    }

    /// A second LUN on the first disk.
    mutating func addLUN(_ id: String = "vd1") {
        var new = luns[0]
        new.id = id
        luns.append(new)
        host.disks[0].luns.append(new.qualifiedID)
    }

    /// Another VM with a LUN of the same name on the same disk: all rows tell whose they are.
    mutating func addSecondVM() {
        var second = vms[0]
        second.name = "guest2"
        vms.append(second)
        luns[0].vm = "guest1"
        var lun = luns[0]
        lun.vm = "guest2"
        luns.append(lun)
        for index in threads.indices { threads[index].vm = "guest1" }
        host.disks[0].luns = luns.map(\.qualifiedID)
    }

    /// Adds a fact about one of several VMs.
    mutating func know(_ subject: Subject, _ name: FactName, _ value: FactValue) {
        facts = FactSheet(
            facts.facts + [Fact(subject, name, value, from: "source of \(name.rawValue)")])
    }
}
