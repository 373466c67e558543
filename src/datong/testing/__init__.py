"""What tests of Datong stand on: databases, conformance kits, factories, the synthetic city. Open to third parties."""
