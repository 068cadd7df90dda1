extension Rule {
    static let imageRules: [Rule] = []
}
