import Kernel
import Screens

/// Reads the theme `name`: a path if it has a slash, else a file of that name in the user's themes,
/// in those installed with the program, or in the source tree the program was built in.
func loadTheme(_ name: String) throws -> Theme {
    if name.contains("/") { return try readTheme(name) }
    for directory in themeDirectories() {
        let path = "\(directory)/\(name).toml"
        guard let text = try? readText(path) else { continue }
        return try parseTheme(text, path: path)
    }
    // `mono` needs no file, so that the program runs wherever it was copied to.
    if name == "mono" || name == "default" { return .mono }
    throw Failure(
        "no theme \"\(name)\" in \(themeDirectories().joined(separator: ", ")); "
            + "give --theme the path of a .toml file, or default, light or mono")
}

private func readTheme(_ path: String) throws -> Theme {
    try parseTheme(try readText(path), path: path)
}

private func parseTheme(_ text: String, path: String) throws -> Theme {
    do {
        return try Theme(toml: text)
    } catch {
        throw Failure("theme \(path): \(error)")
    }
}

/// Where themes are looked for, the user's own first.
private func themeDirectories() -> [String] {
    var directories: [String] = []
    if let home = Process.environment("XDG_CONFIG_HOME") {
        directories.append("\(home)/vblktop/themes")
    } else if let home = Process.environment("HOME") {
        directories.append("\(home)/.config/vblktop/themes")
    }
    guard var path = Process.executablePath?.split(separator: "/") else { return directories }
    // PREFIX/bin/vblktop, then .build/…/vblktop with the tree's root some levels up.
    path.removeLast()
    directories.append("/" + path.dropLast().joined(separator: "/") + "/share/vblktop/themes")
    for _ in 0..<4 where !path.isEmpty {
        path.removeLast()
        directories.append("/" + path.joined(separator: "/") + "/themes")
    }
    return directories
}

/// A small text file whole; no theme is longer than this.
private func readText(_ path: String) throws -> String {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = try ReadableFile(path: path).read(into: &bytes)
    return String(decoding: bytes[..<count], as: UTF8.self)
}
