# A listener for any shell: read(1) takes no byte behind the line, head(1) as many as there are. Out: type and payload of each event,
# in hexadecimal, in the file that it is given.
while printf 'READY\n' && read -r line; do
    for word in $line; do
        case $word in
        len:*) len=${word#len:} ;;
        eventname:*) name=${word#eventname:} ;;
        esac
    done
    payload=$(head -c "$len" | od -An -v -tx1 | tr -d ' \n')
    echo "$name $payload" >>"$1"
    printf 'RESULT 2\nOK'
done
