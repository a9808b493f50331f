# All of Tizza as separate services on this machine.
up *FOLDER:
    scripts/up {{FOLDER}}

# Stops them; the data stays.
down *FOLDER:
    scripts/down {{FOLDER}}
