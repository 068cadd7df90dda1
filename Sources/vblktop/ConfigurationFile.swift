import ArgumentParser
import Doctor
import Kernel
import SystemPackage
import Telemetry

/// The user's configuration file.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Configuration file (docs/doctor.md). (default: $XDG_CONFIG_HOME/vblktop/config.toml, \
            else ~/.config/vblktop/config.toml, where there is one)
            """, valueName: "file"))
    var config: String?

    /// What it says; nothing where no file is named and there is none in the usual place.
    func preferences() throws -> Preferences {
        guard let path = config ?? DataDirectories.user("config.toml") else { return Preferences() }
        let text: String
        do {
            text = String(decoding: try readWholeFile(path, limit: 1 << 20), as: UTF8.self)
        } catch {
            guard config == nil else { throw Failure(error) }
            // The home of another user, as with sudo, is no reason to do nothing.
            if error.errno != .noSuchFileOrDirectory { printError("\(error)".harmless()) }
            return Preferences()
        }
        do {
            let preferences = try Preferences(toml: text)
            for rule in preferences.unknownRules {
                printError("\(path): there is no rule \(rule) to silence".harmless())
            }
            return preferences
        } catch {
            throw Failure("\(path): \(error)".harmless())
        }
    }
}
