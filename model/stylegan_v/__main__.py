"""python -m stylegan_v"""

from stylegan_v.cli import main

main()
