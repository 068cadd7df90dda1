import ArgumentParser
import Telemetry

/// The command line. `vblktop` alone is `vblktop top`.
@main
struct VblktopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vblktop",
        abstract: "Watch virtio-blk data planes: which LUN, which stage, and why.",
        version: "vblktop \(vblktopVersion)",
        subcommands: [TopCommand.self],
        defaultSubcommand: TopCommand.self)
}
