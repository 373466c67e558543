from datong.app.cli import main

main()
