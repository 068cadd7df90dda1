internal import Grid
internal import TOMLKit

/// Turns the tables of a theme file into a theme.
struct ThemeReader {
    /// Of the file, to tell where a key stands.
    let lines: [Substring]

    func theme(from root: TOMLTable) throws(ThemeError) -> Theme {
        for key in root.keys where !["name", "selected", "roles", "thresholds"].contains(key) {
            throw error(key, nil, "not a key of a theme: name, selected, roles, thresholds")
        }
        var palette = Palette(roles: [:], selected: Appearance(reversed: true))
        if let value = root["selected"] {
            palette.selected = try appearance(value, "selected")
        }
        if let value = root["roles"] {
            palette.roles = try roles(try table(value, "roles"))
        }
        var thresholds = Thresholds()
        if let value = root["thresholds"] {
            let levels = try table(value, "thresholds")
            for name in levels.keys {
                guard let gauge = Gauge(rawValue: name) else {
                    let known = Gauge.allCases.map(\.rawValue).joined(separator: ", ")
                    throw error("thresholds." + name, nil, "not a threshold: " + known)
                }
                thresholds[gauge] = try self.levels(levels[name], "thresholds." + name)
            }
        }
        return Theme(palette: palette, thresholds: thresholds)
    }

    private func roles(_ table: TOMLTable) throws(ThemeError) -> [Role: Appearance] {
        var result: [Role: Appearance] = [:]
        for (name, value) in try named(table) {
            guard let role = Role.allCases.first(where: { $0.themeName == name }) else {
                let known = Role.allCases.map(\.themeName).joined(separator: ", ")
                throw error("roles." + name, nil, "not a role: " + known)
            }
            result[role] = try appearance(value, "roles." + name)
        }
        return result
    }

    /// The roles by name; `graph.1` is a table in a table for TOML.
    private func named(
        _ roles: TOMLTable
    ) throws(ThemeError) -> [(String, any TOMLValueConvertible)] {
        var result: [(String, any TOMLValueConvertible)] = []
        for key in roles.keys {
            guard let value = roles[key] else { continue }
            if key == "graph" {
                let graphs = try table(value, "roles.graph")
                result += graphs.keys.compactMap { number in
                    graphs[number].map { ("graph." + number, $0) }
                }
            } else {
                result.append((key, value))
            }
        }
        return result
    }

    private func appearance(
        _ value: any TOMLValueConvertible, _ key: String
    ) throws(ThemeError) -> Appearance {
        let table = try table(value, key)
        var result = Appearance()
        for name in table.keys {
            guard let value = table[name] else { continue }
            let path = key + "." + name
            switch name {
            case "fg": result.foreground = try color(value, path)
            case "bg": result.background = try color(value, path)
            case "bold": result.isBold = try flag(value, path)
            case "dim": result.isDim = try flag(value, path)
            case "underline": result.isUnderlined = try flag(value, path)
            case "reverse": result.isReversed = try flag(value, path)
            default:
                throw error(path, value, "not one of fg, bg, bold, dim, underline, reverse")
            }
        }
        return result
    }

    private static let names = [
        "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
    ]

    private func color(
        _ value: any TOMLValueConvertible, _ key: String
    ) throws(ThemeError) -> Color {
        if let index = value.int, let index = UInt8(exactly: index) { return .indexed(index) }
        guard let text = value.string else {
            throw error(key, value, "not a colour: \"#rrggbb\", 0 to 255, a name or \"default\"")
        }
        if text == "default" { return .terminalDefault }
        if text.first == "#", text.utf8.count == 7, !text.utf8.contains(43),
            let rgb = UInt32(text.dropFirst(), radix: 16)
        {
            return .rgb(UInt8(rgb >> 16), UInt8(rgb >> 8 & 255), UInt8(rgb & 255))
        }
        let isBright = text.hasPrefix("bright-")
        let name = isBright ? String(text.dropFirst(7)) : text
        if let index = Self.names.firstIndex(of: name) {
            return .indexed(UInt8(index + (isBright ? 8 : 0)))
        }
        let known = Self.names.joined(separator: ", ")
        throw error(
            key, value, "not a colour: \"#rrggbb\", 0 to 255, default, (bright-) " + known)
    }

    private func flag(_ value: any TOMLValueConvertible, _ key: String) throws(ThemeError) -> Bool {
        guard let flag = value.bool else { throw error(key, value, "not true or false") }
        return flag
    }

    private func levels(
        _ value: (any TOMLValueConvertible)?, _ key: String
    ) throws(ThemeError) -> Thresholds.Levels {
        let wanted = "not three ascending numbers: advice, warning, critical"
        guard let array = value?.array, array.count == 3 else { throw error(key, value, wanted) }
        let numbers = array.compactMap { $0.double ?? $0.int.map(Double.init) }
        guard numbers.count == 3,
            let levels = Thresholds.Levels(numbers[0], numbers[1], numbers[2])
        else { throw error(key, value, wanted) }
        return levels
    }

    private func table(
        _ value: any TOMLValueConvertible, _ key: String
    ) throws(ThemeError) -> TOMLTable {
        guard let table = value.table else { throw error(key, value, "not a table { … }") }
        return table
    }

    private func error(
        _ key: String, _ value: (any TOMLValueConvertible)?, _ problem: String
    ) -> ThemeError {
        let shown = value.map { value in
            value.string.map { "\"" + $0 + "\"" } ?? String(value.debugDescription.prefix(60))
        }
        return ThemeError(key: key, value: shown, line: line(of: key), problem: problem)
    }

    /// The line that sets `key`, found by the text before its `=`: the parser does not tell.
    private func line(of key: String) -> Int? {
        let parts = key.split(separator: ".").dropFirst(key.contains(".") ? 1 : 0)
        let full = parts.joined(separator: ".")
        let parent = parts.dropLast().joined(separator: ".")
        func start(_ line: Substring) -> Substring {
            let name = line.drop { $0 == " " || $0 == "\t" || $0 == "[" }
            return name.prefix { $0 != "=" && $0 != " " && $0 != "\t" && $0 != "]" }
        }
        let found =
            lines.firstIndex { start($0) == full || start($0) == key }
            ?? lines.firstIndex { !parent.isEmpty && start($0) == parent }
        return found.map { $0 + 1 }
    }
}
