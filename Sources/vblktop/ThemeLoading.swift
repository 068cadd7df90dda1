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
    [DataDirectories.user("themes")].compactMap(\.self) + DataDirectories.program("themes")
}

/// A small text file whole; no theme is longer than this.
private func readText(_ path: String) throws -> String {
    String(decoding: try readWholeFile(path, limit: 1 << 20), as: UTF8.self)
}
