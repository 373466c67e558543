"""What tests of Datong stand on: databases, conformance kits, factories, the synthetic city. Third parties may import it."""
