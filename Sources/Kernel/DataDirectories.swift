/// Where files that come with the program, and the user's own beside them, are looked for: themes,
/// probes.
public enum DataDirectories {
    /// Where those that came with the program may be: `share/vblktop/NAME` of the prefix it was
    /// installed below, then `NAME` in the source tree it was built in; the likeliest first.
    public static func program(
        _ name: String, executable: String? = Process.executablePath
    ) -> [String] {
        guard var path = executable?.split(separator: "/"), !path.isEmpty else { return [] }
        // PREFIX/bin/vblktop, then .build/…/vblktop with the tree's root some levels up.
        path.removeLast()
        var directories = [absolute(path.dropLast() + ["share", "vblktop", name[...]])]
        for _ in 0..<4 where !path.isEmpty {
            path.removeLast()
            directories.append(absolute(path + [name[...]]))
        }
        return directories
    }

    /// The user's own, `nil` without a home.
    public static func user(
        _ name: String, environment: (String) -> String? = Process.environment
    ) -> String? {
        if let home = environment("XDG_CONFIG_HOME") { return "\(home)/vblktop/\(name)" }
        return environment("HOME").map { "\($0)/.config/vblktop/\(name)" }
    }

    private static func absolute(_ path: [Substring]) -> String {
        "/" + path.joined(separator: "/")
    }
}
