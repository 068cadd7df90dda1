import ArgumentParser
import Attach
import FoundationEssentials
import Grid

/// `vblktop list`: the VMs that run on this host, and how to attach to each.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the VMs that run on this host, with their QMP sockets and LUNs.",
        discussion: """
            All of it is read from /proc: no QMP socket is touched, as each serves one client only.
            Disks that were plugged later are not among the LUNs.
            """)

    @Flag(help: "One JSON object per VM and line.")
    var json = false

    func run() throws {
        let machines: [FoundVM]
        do {
            machines = try runningVMs()
        } catch {
            throw Failure(error)
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for machine in machines {
                print(String(decoding: try encoder.encode(ListedVM(machine)), as: UTF8.self))
            }
        } else if machines.isEmpty {
            print("No QEMU runs here that this user may see.")
        } else {
            for line in Self.table(machines) { print(line) }
        }
    }

    static func table(_ machines: [FoundVM]) -> [String] {
        let rows = [["PID", "NAME", "ACCEL", "QMP", "LUNs"]] + machines.map(row)
        let widths = (0..<4).map { column in rows.map { $0[column].cellWidth }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { text, width in
                text + String(repeating: " ", count: max(0, width - text.cellWidth))
            }
            return (cells + [row[4]]).joined(separator: "  ")
        }
    }

    private static func row(_ machine: FoundVM) -> [String] {
        let shown = machine.luns.prefix(8).joined(separator: " ")
        let more = machine.luns.count > 8 ? " …" : ""
        return [
            String(machine.pid), machine.name, machine.accelerator ?? "-",
            machine.qmp.isEmpty ? "none" : machine.qmp.joined(separator: ","),
            machine.luns.isEmpty ? "0" : "\(machine.luns.count): \(shown)\(more)",
        ]
    }
}

/// A VM as `vblktop list --json` writes it (docs/json.md).
private struct ListedVM: Encodable {
    let pid: Int
    let name: String
    let accelerator: String?
    let qmp: [String]
    let luns: [String]

    init(_ machine: FoundVM) {
        pid = machine.pid
        name = machine.name
        accelerator = machine.accelerator
        qmp = machine.qmp
        luns = machine.luns
    }
}
