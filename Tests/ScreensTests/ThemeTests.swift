import Foundation
import Grid
import Testing

@testable import Screens

@Suite("Themes")
struct ThemeTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("themes")

    private func read(_ name: String) throws -> Theme {
        let url = Self.folder.appendingPathComponent(name + ".toml")
        return try Theme(toml: String(contentsOf: url, encoding: .utf8))
    }

    @Test(
        "every theme that is delivered names every role", arguments: ["default", "light", "mono"])
    func delivered(name: String) throws {
        let theme = try read(name)
        #expect(Set(theme.palette.roles.keys) == Set(Role.allCases))
    }

    @Test("the mono theme has no colour")
    func mono() throws {
        let palette = try read("mono").palette
        for appearance in Array(palette.roles.values) + [palette.selected] {
            #expect(appearance.foreground == .terminalDefault)
            #expect(appearance.background == .terminalDefault)
        }
    }

    @Test("the default theme's thresholds are the built-in ones")
    func thresholds() throws {
        #expect(try read("default").thresholds == Thresholds())
    }

    @Test(
        "colours",
        arguments: [
            ("\"#0a0Bff\"", Color.rgb(10, 11, 255)), ("214", .indexed(214)),
            ("\"red\"", .indexed(1)),
            ("\"bright-blue\"", .indexed(12)), ("\"default\"", .terminalDefault),
        ])
    func colors(text: String, color: Color) throws {
        let theme = try Theme(toml: "[roles]\ngraph.2 = { fg = \(text), bold = true }")
        #expect(theme.palette.roles[.graph2] == Appearance(foreground: color, bold: true))
    }

    @Test(
        "errors name line, key and value",
        arguments: [
            ("[roles]\nok = { fg = \"pink\" }", 2, "roles.ok.fg = \"pink\": not a colour"),
            ("[roles]\nok = { fg = 256 }", 2, "roles.ok.fg = 256: not a colour"),
            ("[roles]\nok = { fg = \"#12345\" }", 2, "roles.ok.fg = \"#12345\""),
            ("[roles]\nok = { fg = \"#+12345\" }", 2, "roles.ok.fg = \"#+12345\""),
            ("[roles]\nok = { bold = 1 }", 2, "roles.ok.bold = 1: not true or false"),
            ("[roles]\nok = { blink = true }", 2, "roles.ok.blink"),
            ("[roles]\nok = 3", 2, "roles.ok = 3: not a table"),
            ("[roles]\n\nshiny = {}", 3, "roles.shiny: not a role"),
            ("[roles]\ngraph.6 = {}", 2, "roles.graph.6: not a role"),
            ("roles = 1", 1, "roles = 1: not a table"),
            ("colour = 1", 1, "colour: not a key"),
            ("[thresholds]\np99_us = [3, 2, 1]", 2, "thresholds.p99_us"),
            ("[thresholds]\np99_us = [1, 2]", 2, "not three ascending numbers"),
            ("[thresholds]\np98_us = [1, 2, 3]", 2, "thresholds.p98_us: not a threshold"),
            ("[roles\nok = {}", 1, "line 1"),
        ])
    func errors(toml: String, line: Int, message: String) throws {
        let error = try #require(throws: ThemeError.self) { try Theme(toml: toml) }
        #expect(error.line == line)
        #expect(error.description.contains(message), "\(error)")
    }
}
