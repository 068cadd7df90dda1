import ArgumentParser
import Telemetry

/// The command line. `vblktop` alone is `vblktop top`.
@main
struct VblktopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vblktop",
        abstract: "Watch virtio-blk data planes: which LUN, which stage, and why.",
        discussion: """
            vblktop list                                 the VMs that run here
            vblktop --qmp /run/vm.sock                   watch a VM through its QMP socket
            vblktop doctor --qmp /run/vm.sock            what is wrong with it, and the fix
            vblktop --demo --luns 56                     watch 56 LUNs of the embedded engine
            vblktop --demo --scenario slow-lun           see what a slow LUN looks like
            vblktop --demo --json -n 5 | jq .total       five samples for a script
            vblktop record --qmp /run/vm.sock -o vm.vbt  record without a screen
            vblktop replay vm.vbt                        look at it on the same screens
            vblktop report vm.vbt                        what it says; compare, query, export too
            vblktop bench --block-sizes 512,1K,4K,8K     the I/O paths side by side, here

            `vblktop help top` lists all options; ? on the screen lists the keys.
            """,
        version: "vblktop \(vblktopVersion)",
        subcommands: [
            TopCommand.self, ListCommand.self, RecordCommand.self, ReplayCommand.self,
            ReportCommand.self, CompareCommand.self, QueryCommand.self, ImportCommand.self,
            ExportCommand.self, VerifyCommand.self, DoctorCommand.self,
            BenchCommand.self,
        ],
        defaultSubcommand: TopCommand.self)
}
